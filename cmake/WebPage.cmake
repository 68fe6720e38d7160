# The report's page: web/ becomes one HTML file, which src/report/page.cpp takes into the program.
#
# Node is the machine's where it is new enough, else the one that cmake/setup.sh put into .deps/.
find_program(NODE NAMES node HINTS ${CMAKE_SOURCE_DIR}/.deps/node/bin NO_DEFAULT_PATH)
find_program(NODE NAMES node)
if(NOT NODE OR NOT EXISTS ${CMAKE_SOURCE_DIR}/web/node_modules/vite/bin/vite.js)
  message(FATAL_ERROR "Node or the packages of web/ are missing; run cmake/setup.sh first")
endif()

set(page_file ${CMAKE_BINARY_DIR}/web/index.html)
file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/src/*)
list(APPEND web_sources ${CMAKE_SOURCE_DIR}/web/index.html ${CMAKE_SOURCE_DIR}/web/vite.config.js
  ${CMAKE_SOURCE_DIR}/web/package-lock.json)
add_custom_command(
  OUTPUT ${page_file}
  COMMAND ${NODE} node_modules/vite/bin/vite.js build --logLevel warn --outDir ${CMAKE_BINARY_DIR}/web --emptyOutDir
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/web
  DEPENDS ${web_sources}
  COMMENT "Building the report's page"
  VERBATIM)
add_custom_target(web_page DEPENDS ${page_file})
add_dependencies(vlsi_core web_page)
set_source_files_properties(src/report/page.cpp PROPERTIES
  COMPILE_DEFINITIONS "VLSI_PAGE_FILE=\"${page_file}\""
  OBJECT_DEPENDS ${page_file})
