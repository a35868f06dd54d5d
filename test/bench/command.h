// The command line in this process, as both cluster suites set up with it; and what they wait for
// and weigh of the processes they start.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace hsmops::bench {

// Output of a command that must end with 0.
std::string Hsm(const std::string& folder, std::vector<std::string> words);
// `words` of a long-running face, with the certificate of `who` in this folder.
std::vector<std::string> WithCertificate(const std::string& folder, std::vector<std::string> words,
                                         const std::string& who);
void AwaitThat(const std::function<bool()>& holds, const std::string& what);

double ResidentMegabytes(pid_t pid);
double ProcessorSeconds(pid_t pid);  // user and system, since it began

}  // namespace hsmops::bench
