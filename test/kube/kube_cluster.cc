#include "test/kube/kube_cluster.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "libhsmops/base/encoding.h"
#include "test/support/fetch.h"
#include "test/support/paths.h"

namespace hsmops::test {
namespace {

using std::chrono::steady_clock;

constexpr const char* kSystem = "hsm-system";
constexpr std::chrono::seconds kBecomes{40};

std::string ManagerName(int number) { return fmt::format("manager-{}", number); }

std::vector<std::string> AllNodes(std::vector<std::string> nodes, int managers) {
  for (int i = 1; i <= managers; ++i) nodes.push_back(ManagerName(i));
  nodes.insert(nodes.end(), {"api", "client"});
  return nodes;
}

}  // namespace

KubeCluster::KubeCluster(const std::vector<std::string>& nodes, int managers, ManagersGo go,
                         const std::map<std::string, std::string>& environment)
    : nodes_(nodes),
      environment_(environment),
      network_(std::make_unique<Network>(AllNodes(nodes, managers))) {
  api_ = std::make_unique<ApiServer>(*network_, "api");
  if (go == ManagersGo::kThroughFaults) {
    faults_ = std::make_unique<FaultProxy>(
        *network_, "api",
        FaultProxy::Certificates{api_->CaFile(), api_->CertificateFile(), api_->KeyFile()});
  }
  ApplyCrds();
  {
    const Network::Visit there(*network_, "client");
    api_->Must({"create", "namespace", kSystem});
    InstallRoles();
  }
  const Ended ca = Run({CliPath(), "--local", folder_ / "pki", "certs", "init"});
  REQUIRE_MESSAGE(ca.code == 0, ca.err);
  for (const std::string& node : nodes_) {
    agents_[node].token = &tokens_.Add(node);
    StartAgent(node);
  }
  for (int i = 1; i <= managers; ++i) StartManager(i);
  if (managers > 0) RegisterLiveApi(managers);
}

void KubeCluster::ApplyCrds() {
  const Network::Visit there(*network_, "client");
  api_->Must({"apply", "-f", TestFolder() + "/../manifests/crds"});
  api_->Must({"wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"});
}

// Without kubelet and controllers: the Service's endpoints are written by hand.
void KubeCluster::RegisterLiveApi(int managers) {
  const Network::Visit there(*network_, "client");
  api_->Must({"apply", "-f", TestFolder() + "/../manifests/live"});
  std::string slice = R"(apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: hsm-manager
  labels: {kubernetes.io/service-name: hsm-manager}
addressType: IPv4
ports: [{name: api, port: 9445, protocol: TCP}]
endpoints:
)";
  for (int i = 1; i <= managers; ++i) slice += "- " + EndpointOf(i) + "\n";
  api_->Must({"apply", "-n", kSystem, "-f", "-"}, slice);
  const std::string ca = ReadText(folder_ / "pki" + "/certs/ca.crt");
  api_->Must({"patch", "apiservice", "v1alpha1.live.hsm.j5t.io", "--type=merge", "-p",
              fmt::format(R"({{"spec":{{"caBundle":"{}"}}}})", base::Base64(base::AsBytes(ca)))});
  api_->Must({"wait", "--for=condition=Available", "--timeout=60s", "apiservice",
              "v1alpha1.live.hsm.j5t.io"});
}

std::string KubeCluster::EndpointOf(int manager) const {
  return fmt::format(R"({{"addresses": ["{}"], "conditions": {{"ready": true}}}})",
                     network_->AddressOf(ManagerName(manager)));
}

void KubeCluster::AskOnly(const std::vector<int>& managers) {
  std::string endpoints;
  for (const int manager : managers)
    endpoints += (endpoints.empty() ? "" : ", ") + EndpointOf(manager);
  Kubectl({"patch", "endpointslice", "hsm-manager", "--type=merge", "-p",
           R"({"endpoints": [)" + endpoints + "]}"});
}

void KubeCluster::InstallRoles() {
  api_->Must({"apply", "-f", TestFolder() + "/../manifests/rbac"});
  const std::map<std::string, std::vector<std::string>> roles = {
      {"manager", {"hsm-manager"}},
      {"viewer", {"hsm-viewer"}},
      {"operator", {"hsm-viewer", "hsm-operator"}},
      {"owner", {"hsm-viewer", "hsm-operator", "hsm-admin"}}};
  for (const auto& [user, its] : roles) {
    for (const std::string& role : its)
      api_->Must({"create", "rolebinding", user + "-" + role, "--clusterrole", role, "--user", user,
                  "-n", kSystem});
  }
  api_->Must({"create", "clusterrolebinding", "manager-delegator", "--clusterrole",
              "system:auth-delegator", "--user", "manager"});
  api_->Must({"create", "clusterrolebinding", "manager-secrets", "--clusterrole",
              "hsm-manager-secrets", "--user", "manager"});
  AllowDelivery(kSystem);
  api_->Must({"create", "rolebinding", "manager-reader", "-n", "kube-system", "--role",
              "extension-apiserver-authentication-reader", "--user", "manager"});
}

std::string KubeCluster::SliceOf(const std::string& device) const {
  std::string slice = fmt::format(R"(apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {0}
  namespace: {1}
  labels: {{hsm.j5t.io/device: {0}}}
addressType: IPv4
ports: [{{name: agent, port: 9443, protocol: TCP}}]
endpoints:
)",
                                  device, kSystem);
  for (const std::string& node : nodes_)
    slice += fmt::format("- {{addresses: [{}], nodeName: {}}}\n", network_->AddressOf(node), node);
  return slice;
}

void KubeCluster::AllowDelivery(const std::string& ns) {
  const Network::Visit there(*network_, "client");
  api_->Must({"create", "rolebinding", "manager-delivery", "-n", ns, "--clusterrole",
              "hsm-manager-delivery", "--user", "manager"});
}

std::string KubeCluster::Issue(const std::string& role, const std::string& name) {
  const std::string out = folder_ / fmt::format("{}-{}", role, name);
  const Ended issued = Run({CliPath(), "--local", folder_ / "pki", "certs", "issue", "--" + role,
                            name, "--out", out, "--dns", "hsm-manager.hsm-system.svc", "--force"});
  REQUIRE_MESSAGE(issued.code == 0, issued.err);
  return out;
}

void KubeCluster::StartAgent(const std::string& node) {
  const std::string certs = Issue("member", node);
  const Network::Visit there(*network_, node);
  Agent_& agent = agents_.at(node);
  agent.process = std::make_unique<Process>(std::vector<std::string>{
      CliPath(), "agent", "--token", agent.token->uri(), "--state", folder_ / ("state-" + node),
      "--listen", network_->AddressOf(node) + ":9443", "--status-listen",
      network_->AddressOf(node) + ":0", "--ca", certs + "/ca.crt", "--cert", certs + "/tls.crt",
      "--key", certs + "/tls.key"});
  agent.pages = agent.process->Says("health and metrics on ");
  REQUIRE_MESSAGE(!agent.process->Says("listening on ").empty(), agent.process->err());
}

void KubeCluster::StartManager(int number) {
  const std::string name = ManagerName(number);
  const std::string certs = Issue("manager", name);
  const std::string server = faults_ ? faults_->url() : api_->url();
  const Network::Visit there(*network_, name);
  auto& manager = managers_[number];
  std::filesystem::create_directories(FailpointFolder(number));
  std::map<std::string, std::string> environment = environment_;
  environment["KHSM_FAILPOINTS"] = FailpointFolder(number);
  manager = std::make_unique<Process>(
      std::vector<std::string>{
          CliPath(), "--kubeconfig", api_->Kubeconfig("manager", kSystem, server), "manager",
          "--listen", network_->AddressOf(name) + ":9444", "--api-listen",
          network_->AddressOf(name) + ":9445", "--status-listen", network_->AddressOf(name) + ":0",
          "--ca", certs + "/ca.crt", "--cert", certs + "/tls.crt", "--key", certs + "/tls.key"},
      ProcessOptions{.env = environment, .folder = {}, .input = {}});
  manager_pages_[number] = manager->Says("health and metrics on ");
  REQUIRE_MESSAGE(!manager->Says("listening on ").empty(), manager->err());
}

std::string KubeCluster::FailpointFolder(int manager) const {
  return folder_ / ("failpoints-" + ManagerName(manager));
}

int KubeCluster::Leader() {
  const std::string mark = "manager-";
  const auto limit = steady_clock::now() + kBecomes;
  for (;;) {
    const std::string holder =
        Kubectl({"get", "lease", "hsm-manager", "-o", "jsonpath={.spec.holderIdentity}"});
    if (holder.starts_with(mark)) return holder[mark.size()] - '0';
    REQUIRE_MESSAGE(steady_clock::now() < limit, "nobody leads: ", holder);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void KubeCluster::Arm(int manager, const std::string& failpoint, int passes) {
  const std::string place = FailpointFolder(manager) + "/" + failpoint;
  WriteText(place + ".new", std::string(static_cast<std::size_t>(passes), '.'));
  std::filesystem::rename(place + ".new", place);
}

bool KubeCluster::Disarm(int manager, const std::string& failpoint) {
  return std::filesystem::remove(FailpointFolder(manager) + "/" + failpoint);
}

bool KubeCluster::IsStopped(int manager) {
  const std::string text = ReadText(fmt::format("/proc/{}/stat", Manager(manager).pid()));
  return text.substr(text.rfind(')') + 2, 1) == "T";
}

void KubeCluster::UntilStopped(int manager) {
  const auto limit = steady_clock::now() + kBecomes;
  while (!IsStopped(manager)) {
    REQUIRE_MESSAGE(steady_clock::now() < limit, "the manager came to no failpoint");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void KubeCluster::KillStopped(int manager) {
  UntilStopped(manager);
  Manager(manager).Signal(SIGKILL);
}

void KubeCluster::EndLeaseOf(int manager) {
  const std::string holder =
      Kubectl({"get", "lease", "hsm-manager", "-o", "jsonpath={.spec.holderIdentity}"});
  if (!holder.starts_with(ManagerName(manager) + ".")) return;
  Kubectl(
      {"patch", "lease", "hsm-manager", "--type=merge", "-p", R"({"spec":{"holderIdentity":""}})"});
}

void KubeCluster::ApplyDevice(const std::string& failover) {
  std::string endpoints;
  for (const std::string& node : nodes_)
    endpoints += fmt::format("      {}: https://{}:9443\n", node, network_->AddressOf(node));
  const Network::Visit there(*network_, "client");
  api_->Must({"apply", "-n", kSystem, "-f", "-"}, fmt::format(R"(apiVersion: hsm.j5t.io/v1alpha1
kind: HSMDevice
metadata:
  name: payments
spec:
  deviceType: Generic
  mirroring:
    policy: ReadOnly
    autoFailover: true
    primaryNode: {}
    failover: {}
    endpoints:
{})",
                                                              nodes_.front(), failover, endpoints));
}

Ended KubeCluster::Hsm(std::vector<std::string> words, const std::string& user) {
  return HsmWith("", std::move(words), user);
}

Ended KubeCluster::HsmWith(const std::string& input, std::vector<std::string> words,
                           const std::string& user) {
  const Network::Visit there(*network_, "client");
  words.insert(words.begin(), {CliPath(), "--kubeconfig", api_->Kubeconfig(user, kSystem)});
  return Run(std::move(words),
             {.env = {{"HOME", folder_.path()}, {"KUBECONFIG", ""}}, .folder = {}, .input = input});
}

Ended KubeCluster::WithPlugin(std::vector<std::string> words, const std::string& user) {
  words.insert(words.begin(), "kubectl");
  return WithPluginOnPath(std::move(words), user);
}

Ended KubeCluster::WithPluginOnPath(std::vector<std::string> command, const std::string& user) {
  const std::string plugins = folder_ / "plugins";
  std::filesystem::create_directory(plugins);
  for (const auto& [name, program] :
       std::map<std::string, std::string>{{"kubectl", ServerProgram("kubectl")},
                                          {"kubectl-hsm", CliPath()},
                                          {"kubectl_complete-hsm", CliPath()}}) {
    std::error_code there;
    std::filesystem::create_symlink(program, plugins + "/" + name, there);
  }
  const Network::Visit client(*network_, "client");
  // env looks the command up on that PATH; this process has another.
  command.insert(command.begin(), "/usr/bin/env");
  return Run(std::move(command),
             {.env = {{"HOME", folder_.path()},
                      {"PATH", plugins + ":/usr/bin:/bin"},
                      {"KUBECONFIG", api_->Kubeconfig(user, kSystem)}}},
             std::chrono::minutes(5));
}

Ended KubeCluster::Until(const std::vector<std::string>& words, int code, const std::string& text) {
  const auto limit = steady_clock::now() + kBecomes;
  for (;;) {
    Ended ended = Hsm(words);
    const bool said = (ended.out + ended.err).find(text) != std::string::npos;
    if (ended.code == code && said) return ended;
    REQUIRE_MESSAGE(steady_clock::now() < limit, words.front(), " ended with ", ended.code, ": ",
                    ended.out, ended.err);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

std::string KubeCluster::Kubectl(std::vector<std::string> words, bool must) {
  const Network::Visit there(*network_, "client");
  words.insert(words.end(), {"-n", kSystem});
  return must ? api_->Must(std::move(words)) : api_->Kubectl(std::move(words)).out;
}

std::string KubeCluster::MetricsOf(const std::string& pages) {
  const Network::Visit there(*network_, "client");
  const Fetched page = Fetch(pages + "/metrics");
  REQUIRE_MESSAGE(page.status == 200, pages);
  return page.body;
}

bool KubeCluster::BecomesReady(int manager, long status) {
  const Network::Visit there(*network_, "client");
  const auto limit = steady_clock::now() + kBecomes;
  while (Fetch(manager_pages_.at(manager) + "/readyz").status != status) {
    if (steady_clock::now() >= limit) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return true;
}

KubeCluster::Direct KubeCluster::AskManager(int number, const std::string& path,
                                            const std::string& identity,
                                            const std::vector<std::string>& headers,
                                            const std::string& method) {
  const Network::Visit there(*network_, "client");
  std::vector<std::string> words{"curl", "-sk", "-X", method, "-w", "\n%{http_code}"};
  if (!identity.empty())
    words.insert(words.end(), {"--cert", identity + ".crt", "--key", identity + ".key"});
  for (const std::string& header : headers) words.insert(words.end(), {"-H", header});
  words.push_back(fmt::format("https://{}:9445{}", network_->AddressOf(ManagerName(number)), path));
  const Ended ended = Run(words);
  const std::size_t line = ended.out.rfind('\n');
  return {ended.code, ended.out.substr(line + 1), ended.out.substr(0, line)};
}

std::string KubeCluster::ManagerIdentity(int number) {
  return Issue("manager", ManagerName(number)) + "/tls";
}

std::string KubeCluster::KubectlAnywhere(std::vector<std::string> words) {
  const Network::Visit there(*network_, "client");
  return api_->Kubectl(std::move(words)).out;
}

void KubeCluster::Apply(const std::string& manifest) {
  const Network::Visit there(*network_, "client");
  api_->Must({"apply", "-f", "-"}, manifest);
}

bool KubeCluster::NobodyLeads() {
  const auto limit = steady_clock::now() + kBecomes;
  for (;;) {
    bool leads = false;
    for (const auto& [number, manager] : managers_)
      leads = leads || Metrics(number).find("\nleader 1") != std::string::npos;
    if (!leads) return true;
    if (steady_clock::now() >= limit) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

long KubeCluster::PrimaryPage(const std::string& node) const {
  const Network::Visit there(*network_, "client");
  return Fetch(agents_.at(node).pages + "/primary").status;
}

bool KubeCluster::BecomesPage(const std::string& node, long status, const std::string& text) {
  const Network::Visit there(*network_, "client");
  const auto limit = steady_clock::now() + kBecomes;
  for (;;) {
    const Fetched page = Fetch(agents_.at(node).pages + "/primary");
    if (page.status == status && page.body.find(text) != std::string::npos) return true;
    if (steady_clock::now() >= limit) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace hsmops::test
