# Included by CMakeLists.txt: makes C++ strings of the run's page and of the preset shapes and adds them to `train`.
# Run as a script (cmake -D FILES=NAME=PATH,... -D OUT=... -P embed.cmake): writes them.
if(CMAKE_SCRIPT_MODE_FILE)
  set(text "// Made by src/train/embed.cmake.\nnamespace jevons {\n")
  string(REPLACE "," ";" files "${FILES}")
  foreach(pair IN LISTS files)
    string(REGEX MATCH "^([^=]*)=(.*)$" _ "${pair}")
    set(name ${CMAKE_MATCH_1})
    file(READ ${CMAKE_MATCH_2} bytes HEX)
    string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
    string(APPEND text "extern const char* const ${name};\nstatic const char text_of_${name}[] = {${bytes}'\\0'};\n"
      "const char* const ${name} = text_of_${name};\n")
  endforeach()
  file(WRITE ${OUT} "${text}}  // namespace jevons\n")
  return()
endif()

set(page ${CMAKE_CURRENT_LIST_DIR}/run_page.html)
set(micro ${CMAKE_SOURCE_DIR}/configs/shapes/micro.json)
set(nano ${CMAKE_SOURCE_DIR}/configs/shapes/nano.json)
set(table ${CMAKE_BINARY_DIR}/train_texts.cc)
add_custom_command(
  OUTPUT ${table}
  COMMAND ${CMAKE_COMMAND} -D FILES=kRunPage=${page},kMicroShape=${micro},kNanoShape=${nano} -D OUT=${table}
          -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${page} ${micro} ${nano} ${CMAKE_CURRENT_LIST_FILE} COMMENT "texts of train")
target_sources(train PRIVATE ${table})
