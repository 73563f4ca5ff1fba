# embed.cmake -- makes a C file of the Lua scripts: cmake -DOUTPUT=... -DROOT=<gateway/bus> -P embed.cmake
#
# Each becomes an entry of redis_script_texts (redis_scripts.h), terminated.
set(table "")
foreach(name append presence reap)
  file(READ ${ROOT}/scripts/${name}.lua hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  string(TOUPPER ${name} entry)
  string(APPEND arrays "static const char ${name}[] = {\n${bytes}0x00};\n")
  string(APPEND table "    [SCRIPT_${entry}] = {${name}, sizeof ${name} - 1},\n")
endforeach()
file(WRITE ${OUTPUT} "/* Made by embed.cmake from the Lua scripts. */\n#include \"${ROOT}/redis_scripts.h\"\n\n${arrays}\nconst struct bytes redis_script_texts[SCRIPTS] = {\n${table}};\n")
