# Read by llama.cpp's own build (CMAKE_PROJECT_llama.cpp_INCLUDE): leaves out its command line tools and their common
# code, which the bot never calls. Setting it on the command line does not last, because the binding's CMakeLists.txt
# sets it again.
set(LLAMA_BUILD_COMMON OFF)
