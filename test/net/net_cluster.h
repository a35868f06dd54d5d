// NetCluster: agents and managers as real processes, each agent with a SoftHSM token of its own,
// and the command line beside them; over loopback, or each in a network namespace of its own.
//
// The arbiter R and the managers' election are in a folder, which no cut of the network takes away.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "test/support/network.h"
#include "test/support/process.h"
#include "test/support/softhsm_tokens.h"
#include "test/support/temp_folder.h"

namespace hsmops::test {

struct NetOptions {
  // With nodes of the agents' names, "manager-1" and so on, and "client" for the command line.
  Network* network = nullptr;
  // grantDuration 3 s, healthCheckInterval 1 s, minInterval 0.
  bool brisk = false;
  std::map<std::string, std::string> env{};     // of every agent and manager
  std::vector<std::string> before_agent{};      // a program that starts it
  std::map<std::string, std::string> fronts{};  // node -> host:port through which it is reached
};

class NetCluster {
 public:
  // CA, certificates, tokens, agents on free ports, and the device; `managers` of them are started.
  NetCluster(const std::vector<std::string>& nodes, int managers, NetOptions options = {});

  // The command line on this cluster folder, to its end.
  Ended Hsm(std::vector<std::string> words,
            std::chrono::milliseconds limit = std::chrono::seconds(60));
  // The same, which must end with 0; what it printed.
  std::string Must(std::vector<std::string> words);
  // Again and again until it prints `text`, or half a minute is over.
  bool Becomes(const std::vector<std::string>& words, const std::string& text);
  // The same until it ends with this code and says this; the test fails if it does not.
  Ended Until(const std::vector<std::string>& words, int code, const std::string& text);

  // As `kubectl edit hsmdevice` would: each text is there once and becomes the other.
  void EditDevice(const std::map<std::string, std::string>& changes) const;
  void StartAgent(const std::string& node);  // at the address that it had
  Process& Agent(const std::string& node) { return *agents_.at(node).process; }
  // Where others reach it: host:port.
  std::string AddressOf(const std::string& node) const;
  // Where their health pages and metrics are: "http://host:port".
  const std::string& AgentPages(const std::string& node) const { return agents_.at(node).pages; }
  const std::string& ManagerPages(int number) const { return managers_.at(number).pages; }
  // Again and again until this page has this status and says `text`, or half a minute is over.
  bool BecomesPage(const std::string& url, long status, const std::string& text);
  void StartManager(int number);
  Process& Manager(int number) { return *managers_.at(number).process; }
  // "a" is the agent of that node, "manager-1" is a manager.
  Process& ProcessOf(const std::string& who);
  // Stopped, and not while it holds the lock of the folder, which would stop everybody.
  void StopManager(int number);
  const std::string& ManagerAddress(int number) const { return managers_.at(number).address; }
  std::vector<std::string> nodes() const;
  std::vector<int> managers() const;
  // Of whom the election's lease says that it leads.
  int Leader() const;
  // Member "a", manager "manager-1": the next time that it comes to this failpoint it stops, once.
  void Arm(const std::string& who, const std::string& failpoint);
  // Waits until it is stopped there, and no lock of the folder with it, which would stop everybody.
  void UntilStoppedAt(const std::string& who, const std::string& failpoint);
  void Disarm(const std::string& who, const std::string& failpoint);
  bool Fired(const std::string& who, const std::string& failpoint) const;
  SoftHsmToken& token(const std::string& node) { return *agents_.at(node).token; }
  // A value, or the exit code where there is none: "exit 4".
  std::string Value(const std::string& name);
  std::string folder() const { return folder_.path() + "/c"; }
  // Of a client that `certs issue` knows by these words: the folder of its ca.crt, tls.crt,
  // tls.key.
  std::string Issue(const std::string& role, const std::string& name);

 private:
  bool FolderIsFree();
  bool Repeat(const std::vector<std::string>& words, const std::function<bool(const Ended&)>& holds,
              Ended& ended);

  struct Agent_ {
    SoftHsmToken* token = nullptr;
    std::string address;
    std::string pages;
    std::unique_ptr<Process> process;
  };

  struct Manager_ {
    std::string address;
    std::string pages;
    std::unique_ptr<Process> process;
  };
  // As `who` of the network, if there is one.
  std::unique_ptr<Network::Visit> As(const std::string& who) const;
  ProcessOptions OptionsOf(const std::string& who) const;
  std::string FailpointFolder(const std::string& who) const;
  void MakeBrisk() const;

  const NetOptions options_;
  TempFolder folder_;
  SoftHsmTokens tokens_;
  std::map<std::string, Agent_> agents_;
  std::map<int, Manager_> managers_;
};

}  // namespace hsmops::test
