# Writes the file INPUT as a C array: const char NAME[] and const size_t NAME_len.
#
#   cmake -DINPUT=file -DOUTPUT=file.c -DNAME=name -P embed.cmake
file(READ ${INPUT} hex HEX)
file(SIZE ${INPUT} size)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "0x([89a-f])" "(char)0x\\1" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include <stddef.h>\nextern const char ${NAME}[];\nextern const size_t ${NAME}_len;\n"
     "const char ${NAME}[] = {${bytes}0};\nconst size_t ${NAME}_len = ${size};\n")
