// Where the programs under test and the files of the tests lie. Known to one source alone, so that
// the others are compiled the same in every checkout.
#pragma once

#include <string>

namespace hsmops::test {

// The path of one of the test programs (test/*/NAME_program.cc) or of a module that they load.
std::string ProgramPath(const std::string& name);
// That of the command line under test.
std::string CliPath();
// Whether libcurl and OpenSSL are within it (docs/adr/0029), as where sanitizers are not.
bool HttpIsWithinCli();
// The folder test/ of this checkout.
std::string TestFolder();

}  // namespace hsmops::test
