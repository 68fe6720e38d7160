// What is otherwise, or cannot be tested, under the sanitizers.
#pragma once

#include <gtest/gtest.h>

#ifdef __SANITIZE_ADDRESS__
constexpr bool kHasSanitizers = true;
#else
constexpr bool kHasSanitizers = false;
#endif

/// Ends a test, or what is left of it, that is about the memory of the process.
#ifdef __SANITIZE_ADDRESS__
#define SKIP_WITH_SANITIZERS() GTEST_SKIP() << "the sanitizers keep memory of their own"
#else
#define SKIP_WITH_SANITIZERS() static_cast<void>(0)
#endif
