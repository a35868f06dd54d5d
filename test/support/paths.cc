#include "test/support/paths.h"

namespace hsmops::test {

std::string ProgramPath(const std::string& name) { return HSMOPS_TEST_PROGRAMS "/" + name; }
std::string CliPath() { return HSMOPS_CLI; }
bool HttpIsWithinCli() { return HSMOPS_HTTP_WITHIN; }
std::string TestFolder() { return HSMOPS_TEST_DIR; }

}  // namespace hsmops::test
