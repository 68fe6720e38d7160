# The program's pages: web/index.html, the report, and web/chat.html, a served model, become one HTML file each, which
# src/report/page.cpp takes into the program.
#
# Node is the machine's where it is new enough, else the one that cmake/setup.sh put into .deps/.
find_program(NODE NAMES node HINTS ${CMAKE_SOURCE_DIR}/.deps/node/bin NO_DEFAULT_PATH)
find_program(NODE NAMES node)
if(NOT NODE OR NOT EXISTS ${CMAKE_SOURCE_DIR}/web/node_modules/vite/bin/vite.js)
  message(FATAL_ERROR "Node or the packages of web/ are missing; run cmake/setup.sh first")
endif()

file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/src/*)
list(APPEND web_sources ${CMAKE_SOURCE_DIR}/web/vite.config.js ${CMAKE_SOURCE_DIR}/web/package-lock.json)
foreach(page index chat)
  set(folder ${CMAKE_BINARY_DIR}/web/${page})
  set(${page}_file ${folder}/${page}.html)
  set(${page}_sum ${folder}/${page}.sum)
  add_custom_command(
    OUTPUT ${${page}_file} ${${page}_sum}
    COMMAND ${CMAKE_COMMAND} -E env VLSI_PAGE=${page}.html
      ${NODE} node_modules/vite/bin/vite.js build --logLevel warn --outDir ${folder} --emptyOutDir
    COMMAND ${CMAKE_COMMAND} -E echo_append "// " > ${${page}_sum}
    COMMAND ${CMAKE_COMMAND} -E sha256sum ${${page}_file} >> ${${page}_sum}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/web
    DEPENDS ${web_sources} ${CMAKE_SOURCE_DIR}/web/${page}.html
    COMMENT "Building the page web/${page}.html"
    VERBATIM)
endforeach()
add_custom_target(web_page DEPENDS ${index_file} ${chat_file})
add_dependencies(vlsi_core web_page)
set_source_files_properties(src/report/page.cpp PROPERTIES
  COMPILE_DEFINITIONS "VLSI_PAGE_FILE=\"${index_file}\";VLSI_CHAT_PAGE_FILE=\"${chat_file}\";VLSI_PAGE_SUM=\"${index_sum}\";VLSI_CHAT_PAGE_SUM=\"${chat_sum}\""
  OBJECT_DEPENDS "${index_file};${chat_file}")
