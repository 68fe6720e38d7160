// What most tests need, compiled once for all of them.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cmake/precompiled.h"
