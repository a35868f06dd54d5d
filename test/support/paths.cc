#include "test/support/paths.h"

namespace hsmops::test {

std::string ProgramPath(const std::string& name) { return HSMOPS_TEST_PROGRAMS "/" + name; }
std::string CliPath() { return HSMOPS_CLI; }
std::string TestFolder() { return HSMOPS_TEST_DIR; }

}  // namespace hsmops::test
