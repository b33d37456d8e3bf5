# Read by llama.cpp's own build (CMAKE_PROJECT_llama.cpp_INCLUDE); setting these on the command line does not last,
# because the binding's CMakeLists.txt sets them again.

# Leaves out llama.cpp's command line tools and their common code, which the bot never calls.
set(LLAMA_BUILD_COMMON OFF)

# llama.cpp's kernels for AMX (Intel's matrix tiles) crash with quantized models: ggml-org/llama.cpp issue 20824. They
# are compiled where the compiler says that the processor has them, so it is told not to say so.
if(NOT MSVC)
    add_compile_options(-U__AMX_INT8__ -U__AMX_TILE__ -U__AMX_BF16__)
endif()
