// NetCluster: agents and managers as real processes over loopback, each agent with a SoftHSM token
// of its own, and the command line beside them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "test/support/process.h"
#include "test/support/softhsm_tokens.h"
#include "test/support/temp_folder.h"

namespace hsmops::test {

class NetCluster {
 public:
  // CA, certificates, tokens, agents on free ports, and the device; `managers` of them are started.
  NetCluster(const std::vector<std::string>& nodes, int managers);

  // The command line on this cluster folder, to its end.
  Ended Hsm(std::vector<std::string> words,
            std::chrono::milliseconds limit = std::chrono::seconds(60));
  // The same, which must end with 0; what it printed.
  std::string Must(std::vector<std::string> words);
  // Again and again until it prints `text` with exit 0, or half a minute is over.
  bool Becomes(const std::vector<std::string>& words, const std::string& text);

  void StartAgent(const std::string& node);  // at the address that it had
  Process& Agent(const std::string& node) { return *agents_.at(node).process; }
  void StartManager(int number);
  Process& Manager(int number) { return *managers_.at(number); }
  SoftHsmToken& token(const std::string& node) { return *agents_.at(node).token; }
  // A value, or the exit code where there is none: "exit 4".
  std::string Value(const std::string& name);
  std::string folder() const { return folder_.path() + "/c"; }

 private:
  struct Agent_ {
    SoftHsmToken* token = nullptr;
    std::string address;
    std::unique_ptr<Process> process;
  };

  TempFolder folder_;
  SoftHsmTokens tokens_;
  std::map<std::string, Agent_> agents_;
  std::map<int, std::unique_ptr<Process>> managers_;
};

}  // namespace hsmops::test
