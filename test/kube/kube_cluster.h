// KubeCluster: agents and managers as real processes, each in a network namespace of its own, with
// a real API server among them; the command line as a person has it.
//
// Agents know nothing of Kubernetes. Managers are the user "manager", with the role of
// manifests/rbac in hsm-system and nothing else; "viewer", "operator" and "owner" (hsm-admin) have
// theirs there, "alice" has none.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "test/kube/api_server.h"
#include "test/kube/fault_proxy.h"
#include "test/support/network.h"
#include "test/support/process.h"
#include "test/support/softhsm_tokens.h"
#include "test/support/temp_folder.h"

namespace hsmops::test {

// How managers reach the API server; everybody else reaches it straight.
enum class ManagersGo { kStraight, kThroughFaults };

class KubeCluster {
 public:
  // CRDs, the namespace hsm-system, certificates, tokens, agents, and so many managers.
  // `environment` is that of the managers.
  KubeCluster(const std::vector<std::string>& nodes, int managers,
              ManagersGo go = ManagersGo::kStraight,
              const std::map<std::string, std::string>& environment = {});

  ApiServer& api() { return *api_; }
  // Only where managers go through it.
  FaultProxy& faults() { return *faults_; }
  const std::vector<std::string>& nodes() const { return nodes_; }
  void ApplyCrds();
  Network& network() { return *network_; }  // its nodes: those, manager-1 …, api and client
  // A device "payments" of all nodes; by default D 3 s, a look every second, minInterval 0.
  void ApplyDevice(
      const std::string& failover = "{grantDuration: 3, healthCheckInterval: 1, minInterval: 0}");
  // An EndpointSlice that says where the agents of this device are.
  std::string SliceOf(const std::string& device) const;
  // The manager's role for Secrets there.
  void AllowDelivery(const std::string& ns);
  void StartAgent(const std::string& node);
  Process& Agent(const std::string& node) { return *agents_.at(node).process; }
  void StartManager(int number);
  Process& Manager(int number) { return *managers_.at(number); }
  // The API server asks none but these managers.
  void AskOnly(const std::vector<int>& managers);

  // The number of the manager that leads.
  int Leader();
  // This manager stops at the failpoint, after so many passes more. Whole at any time.
  void Arm(int manager, const std::string& failpoint, int passes = 0);
  // False: it has stopped there, or is about to.
  bool Disarm(int manager, const std::string& failpoint);
  bool IsStopped(int manager);
  void UntilStopped(int manager);
  // Waits until it has stopped, and kills it.
  void KillStopped(int manager);
  // The lease of who is gone runs out now: the next one leads at once.
  void EndLeaseOf(int manager);

  // kubectl-hsm as this user in hsm-system, from the client's node.
  Ended Hsm(std::vector<std::string> words, const std::string& user = "operator");
  // Again and again until it ends with this code and says this; the test fails if it does not.
  Ended Until(const std::vector<std::string>& words, int code, const std::string& text);
  // The same as Hsm with this on standard input. Both are thread-safe.
  Ended HsmWith(const std::string& input, std::vector<std::string> words,
                const std::string& user = "owner");
  // The real kubectl as this user in hsm-system by its $KUBECONFIG, with nothing before the words,
  // and with kubectl-hsm and kubectl_complete-hsm on its PATH.
  Ended WithPlugin(std::vector<std::string> words, const std::string& user = "operator");
  // Any command with this environment, and with kubectl on its PATH too.
  Ended WithPluginOnPath(std::vector<std::string> command, const std::string& user = "operator");
  // kubectl as "admin" in hsm-system, which has to end with 0 where it `must`; what it printed.
  std::string Kubectl(std::vector<std::string> words, bool must = true);
  // The same without a namespace of its own.
  std::string KubectlAnywhere(std::vector<std::string> words);
  void Apply(const std::string& manifest);
  // curl, past the API server, to the port of this manager that is for the API server: the status
  // and the body, or curl's own code. `identity`: FILE of FILE.crt and FILE.key; empty: none.
  struct Direct {
    int curl = 0;
    std::string status;
    std::string body;
  };
  Direct AskManager(int number, const std::string& path, const std::string& identity,
                    const std::vector<std::string>& headers = {},
                    const std::string& method = "GET");
  // The folder of a manager's certificate, as FILE of AskManager.
  std::string ManagerIdentity(int number);
  // The page /metrics of this agent, or of this manager.
  std::string Metrics(const std::string& node) { return MetricsOf(agents_.at(node).pages); }
  std::string Metrics(int manager) { return MetricsOf(manager_pages_.at(manager)); }
  // The page /readyz of this manager, again and again until it answers this, or 40 s are over.
  bool BecomesReady(int manager, long status);
  // Until no manager says on its pages that it leads, or 40 s are over.
  bool NobodyLeads();
  // What the page /primary of this agent answers now; 0: nothing. Thread-safe.
  long PrimaryPage(const std::string& node) const;
  // The same page, again and again until it is so, or 40 s are over.
  bool BecomesPage(const std::string& node, long status, const std::string& text);

 private:
  struct Agent_ {
    SoftHsmToken* token = nullptr;
    std::unique_ptr<Process> process;
    std::string pages;
  };
  std::string FailpointFolder(int manager) const;
  void InstallRoles();
  void RegisterLiveApi(int managers);
  std::string EndpointOf(int manager) const;
  std::string MetricsOf(const std::string& pages);
  std::string Issue(const std::string& role, const std::string& name);

  const std::vector<std::string> nodes_;
  const std::map<std::string, std::string> environment_;
  TempFolder folder_;
  SoftHsmTokens tokens_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<ApiServer> api_;
  std::unique_ptr<FaultProxy> faults_;
  std::map<std::string, Agent_> agents_;
  std::map<int, std::unique_ptr<Process>> managers_;
  std::map<int, std::string> manager_pages_;
};

}  // namespace hsmops::test
