# One function sets the properties of every target; nothing else in the tree does.
#
#   vw_library(NAME base SOURCES a.c b.c LINKS vw::jansson)      a static library with its own include folder
#   vw_program(NAME vw-agent SOURCES main.c LINKS base)          static-pie in releases; with DYNAMIC it loads shared libraries
#   vw_unit_test(NAME base_text SOURCES text_test.c LINKS base)  a cmocka program, run by ctest

set(VW_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef)

function(vw_properties name)
  set_target_properties(${name} PROPERTIES C_STANDARD 17 C_STANDARD_REQUIRED ON C_EXTENSIONS ON)
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  target_compile_options(${name} PRIVATE ${VW_WARNINGS} -fno-common -fstack-protector-strong -fPIE
    $<$<BOOL:${VW_WERROR}>:-Werror>
    $<$<CONFIG:Release>:-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fcf-protection=full -ffunction-sections
      -fdata-sections -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=build
      -fstack-clash-protection>)
  if(VW_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${VW_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${name} PUBLIC -fsanitize=${VW_SANITIZE})
  endif()
  if(VW_COVERAGE)
    target_compile_options(${name} PRIVATE --coverage -fprofile-update=atomic)
    target_link_options(${name} PUBLIC --coverage)
  endif()
endfunction()

function(vw_library)
  cmake_parse_arguments(A "" "NAME" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${A_NAME} STATIC ${A_SOURCES})
  vw_properties(${A_NAME})
  target_include_directories(${A_NAME} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${A_NAME} PUBLIC ${A_LINKS} PRIVATE ${A_PRIVATE_LINKS})
  vw_headers_alone(${A_NAME} ${A_PRIVATE_LINKS})
endfunction()

# Each header compiles alone, the folder's private ones too: one generated source for each of them. What follows the name
# is linked privately by the library.
function(vw_headers_alone name)
  file(GLOB_RECURSE headers RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/include CONFIGURE_DEPENDS
       ${CMAKE_CURRENT_SOURCE_DIR}/include/*.h)
  file(GLOB private RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  set(sources "")
  foreach(header IN LISTS headers private)
    string(REPLACE "/" "_" flat ${header})
    set(source ${CMAKE_CURRENT_BINARY_DIR}/alone/${flat}.c)
    file(GENERATE OUTPUT ${source} CONTENT "#include \"${header}\"\n#include \"${header}\"\ntypedef int vw_not_empty;\n")
    list(APPEND sources ${source})
  endforeach()
  if(sources AND VW_TESTS)
    add_library(${name}_headers OBJECT ${sources})
    vw_properties(${name}_headers)
    target_include_directories(${name}_headers PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name}_headers PRIVATE ${name} ${ARGN})
  endif()
endfunction()

# What all programs have beside the properties: the options of a sanitizer.
function(vw_executable name)
  vw_properties(${name})
  if(VW_SANITIZE MATCHES "thread")
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/tsan_defaults.c)
  endif()
endfunction()

function(vw_program)
  cmake_parse_arguments(A "DYNAMIC" "NAME" "SOURCES;LINKS" ${ARGN})
  add_executable(${A_NAME} ${A_SOURCES})
  vw_executable(${A_NAME})
  target_include_directories(${A_NAME} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${A_NAME} PRIVATE ${A_LINKS})
  target_link_options(${A_NAME} PRIVATE $<IF:$<AND:$<BOOL:${VW_STATIC}>,$<NOT:$<BOOL:${A_DYNAMIC}>>>,-static-pie,-pie>)
  if(VW_STATIC)
    # relative relocations packed: a third of a megabyte in a program with C++ in it
    target_link_options(${A_NAME} PRIVATE -Wl,-z,relro,-z,now,-z,noexecstack,-z,pack-relative-relocs -Wl,--gc-sections
                        -Wl,--build-id=none $<$<CONFIG:Release>:-s>)
  endif()
endfunction()

function(vw_unit_test)
  cmake_parse_arguments(A "" "NAME" "SOURCES;LINKS" ${ARGN})
  add_executable(test_${A_NAME} ${A_SOURCES})
  vw_executable(test_${A_NAME})
  # cmocka's mock macros convert freely; and a test may look at the private headers of what it tests
  target_compile_options(test_${A_NAME} PRIVATE -Wno-conversion)
  target_include_directories(test_${A_NAME} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(test_${A_NAME} PRIVATE VW_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data")
  target_link_libraries(test_${A_NAME} PRIVATE ${A_LINKS} vw::cmocka)
  add_test(NAME ${A_NAME} COMMAND test_${A_NAME})
  set_tests_properties(${A_NAME} PROPERTIES TIMEOUT 300)
endfunction()

# A libFuzzer target with -DVW_FUZZ=ON (clang); otherwise an ordinary test that runs over the corpus.
function(vw_fuzz_target)
  cmake_parse_arguments(A "" "NAME" "SOURCES;LINKS" ${ARGN})
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${A_NAME})
  if(VW_FUZZ)
    add_executable(fuzz_${A_NAME} ${A_SOURCES})
    vw_executable(fuzz_${A_NAME})
    target_link_options(fuzz_${A_NAME} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${A_NAME} ${A_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus_main.c)
    vw_executable(fuzz_${A_NAME})
    add_test(NAME fuzz_${A_NAME} COMMAND fuzz_${A_NAME} ${corpus})
  endif()
  target_link_libraries(fuzz_${A_NAME} PRIVATE ${A_LINKS})
endfunction()
