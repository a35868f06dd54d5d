#include "test/net/net_cluster.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/file.h"
#include "test/support/fetch.h"

namespace hsmops::test {

namespace {

constexpr std::chrono::seconds kBecomes{40};

std::string Says(Process& process, const std::string& words) {
  std::string said = process.Says(words);
  REQUIRE_MESSAGE(!said.empty(), process.err());
  return said;
}
std::string ListensOn(Process& process) { return Says(process, "listening on "); }
std::string PagesOf(Process& process) { return Says(process, "health and metrics on "); }

void ReplaceIn(const std::string& path, const std::map<std::string, std::string>& changes) {
  std::string text = ReadText(path);
  for (const auto& [old, now] : changes) {
    const std::size_t at = text.find(old);
    REQUIRE_MESSAGE(at != std::string::npos, path, " has no ", old);
    text.replace(at, old.size(), now);
  }
  WriteText(path, text);
}

constexpr int kStops = 20;

// After the name, which is in brackets.
bool IsStopped(const Process& process) {
  const std::string stat = ReadText(fmt::format("/proc/{}/stat", process.pid()));
  return stat.compare(stat.rfind(')'), 3, ") T") == 0;
}

std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

std::string ManagerName(int number) { return fmt::format("manager-{}", number); }

}  // namespace

NetCluster::NetCluster(const std::vector<std::string>& nodes, int managers, NetOptions options)
    : options_(std::move(options)) {
  Must({"certs", "init"});
  std::vector<std::string> init{"init"};
  for (const std::string& node : nodes) {
    Issue("member", node);
    agents_[node].token = &tokens_.Add(node);
    StartAgent(node);
    init.insert(init.end(), {"--member", fmt::format("{}=https://{}", node, AddressOf(node))});
  }
  Must(init);
  if (options_.brisk) MakeBrisk();
  for (int i = 1; i <= managers; ++i) {
    Issue("manager", ManagerName(i));
    StartManager(i);
  }
}

void NetCluster::EditDevice(const std::map<std::string, std::string>& changes) const {
  ReplaceIn(folder() + "/hsmdevices/default.local.yaml", changes);
}

// The device is not used yet, so R may be another from the start.
void NetCluster::MakeBrisk() const {
  EditDevice({{"grantDuration: 10", "grantDuration: 3"},
              {"healthCheckInterval: 2", "healthCheckInterval: 1"},
              {"minInterval: 600", "minInterval: 0"}});
  ReplaceIn(folder() + "/leases/default.local-primary.yaml",
            {{"leaseDurationSeconds: 10", "leaseDurationSeconds: 3"},
             {"old-grant-duration: \"10\"", "old-grant-duration: \"3\""}});
}

std::unique_ptr<Network::Visit> NetCluster::As(const std::string& who) const {
  if (options_.network == nullptr) return nullptr;
  return std::make_unique<Network::Visit>(*options_.network, who);
}

std::string NetCluster::FailpointFolder(const std::string& who) const {
  return folder_.path() + "/failpoints-" + who;
}

ProcessOptions NetCluster::OptionsOf(const std::string& who) const {
  std::filesystem::create_directory(FailpointFolder(who));
  ProcessOptions options;
  options.env = options_.env;
  options.env["KHSM_FAILPOINTS"] = FailpointFolder(who);
  return options;
}

void NetCluster::Arm(const std::string& who, const std::string& failpoint) {
  WriteText(FailpointFolder(who) + "/" + failpoint, "");
}

void NetCluster::Disarm(const std::string& who, const std::string& failpoint) {
  std::filesystem::remove(FailpointFolder(who) + "/" + failpoint);
}

bool NetCluster::Fired(const std::string& who, const std::string& failpoint) const {
  return !std::filesystem::exists(FailpointFolder(who) + "/" + failpoint);
}

void NetCluster::UntilStoppedAt(const std::string& who, const std::string& failpoint) {
  constexpr std::chrono::seconds kLimit{60};
  base::SystemClock clock;
  for (int tries = 0; tries < kStops; ++tries) {
    const base::TimePoint end = clock.Now() + kLimit;
    while (!IsStopped(ProcessOf(who)) || !Fired(who, failpoint)) {
      REQUIRE_MESSAGE(clock.Now() < end, who << " did not come to " << failpoint);
      clock.SleepFor(std::chrono::milliseconds(20));
    }
    if (FolderIsFree()) return;
    Arm(who, failpoint);  // it stops there again, its other threads a little further
    ProcessOf(who).Signal(SIGCONT);
  }
  FAIL(who << " holds the lock of the folder each time that it is stopped");
}

std::string NetCluster::Issue(const std::string& role, const std::string& name) {
  Must({"certs", "issue", "--" + role, name});
  return fmt::format("{}/certs/{}-{}", folder(), role, name);
}

std::string NetCluster::AddressOf(const std::string& node) const {
  const auto front = options_.fronts.find(node);
  return front != options_.fronts.end() ? front->second : agents_.at(node).address;
}

void NetCluster::StartAgent(const std::string& node) {
  Agent_& agent = agents_.at(node);
  const std::string certs = folder() + "/certs/member-" + node;
  std::string listen = "127.0.0.1:0";
  if (!agent.address.empty()) {
    listen = agent.address;
  } else if (options_.network != nullptr) {
    listen = options_.network->AddressOf(node) + ":9443";
  }
  const auto as = As(node);
  std::vector<std::string> argv = options_.before_agent;
  argv.insert(argv.end(), {CliPath(), "agent", "--token", agent.token->uri(), "--state",
                           folder_.path() + "/state-" + node, "--listen", listen, "--status-listen",
                           HostOf(listen) + ":0", "--ca", certs + "/ca.crt", "--cert",
                           certs + "/tls.crt", "--key", certs + "/tls.key"});
  agent.process = std::make_unique<Process>(std::move(argv), OptionsOf(node));
  agent.pages = PagesOf(*agent.process);
  agent.address = ListensOn(*agent.process);
}

void NetCluster::StartManager(int number) {
  Manager_& manager = managers_[number];
  const std::string name = ManagerName(number);
  const std::string certs = fmt::format("{}/certs/manager-{}", folder(), name);
  const std::string listen =
      options_.network == nullptr ? "127.0.0.1:0" : options_.network->AddressOf(name) + ":9444";
  const auto as = As(name);
  manager.process = std::make_unique<Process>(
      std::vector<std::string>{CliPath(), "--local", folder(), "manager", "--listen", listen,
                               "--status-listen", HostOf(listen) + ":0", "--ca", certs + "/ca.crt",
                               "--cert", certs + "/tls.crt", "--key", certs + "/tls.key"},
      OptionsOf(name));
  manager.pages = PagesOf(*manager.process);
  manager.address = ListensOn(*manager.process);
}

Process& NetCluster::ProcessOf(const std::string& who) {
  const std::string mark = "manager-";
  return who.starts_with(mark) ? Manager(std::stoi(who.substr(mark.size()))) : Agent(who);
}

bool NetCluster::FolderIsFree() {
  base::SystemClock clock;
  return base::FileLock::Take(folder() + "/.lock", "a test", clock,
                              clock.Now() + std::chrono::seconds(1))
      .ok();
}

void NetCluster::StopManager(int number) {
  base::SystemClock clock;
  for (int tries = 0; tries < kStops; ++tries) {
    Manager(number).Signal(SIGSTOP);
    if (FolderIsFree()) return;
    Manager(number).Signal(SIGCONT);
    clock.SleepFor(std::chrono::milliseconds(50));
  }
  FAIL("manager-" << number << " holds the lock of the folder each time that it is stopped");
}

std::vector<std::string> NetCluster::nodes() const {
  std::vector<std::string> nodes;
  for (const auto& [node, agent] : agents_) nodes.push_back(node);
  return nodes;
}

std::vector<int> NetCluster::managers() const {
  std::vector<int> numbers;
  for (const auto& [number, manager] : managers_) numbers.push_back(number);
  return numbers;
}

int NetCluster::Leader() const {
  const std::string lease = ReadText(folder() + "/leases/default.hsm-manager.yaml");
  const std::string mark = "holderIdentity: ";
  const std::size_t at = lease.find(mark);
  for (const int number : managers()) {
    const std::string name = ManagerName(number) + ".";
    const std::size_t found = lease.find(name, at);
    if (at != std::string::npos && found < lease.find('\n', at)) return number;
  }
  return 0;
}

Ended NetCluster::Hsm(std::vector<std::string> words, std::chrono::milliseconds limit) {
  words.insert(words.begin(), {CliPath(), "--local", folder()});
  const auto as = As("client");
  return Run(std::move(words), {}, limit);
}

std::string NetCluster::Must(std::vector<std::string> words) {
  const std::string verb = words.front();
  const Ended ended = Hsm(std::move(words));
  REQUIRE_MESSAGE(ended.code == 0, verb << " ended with " << ended.code << ": " << ended.err);
  return ended.out;
}

bool NetCluster::BecomesPage(const std::string& url, long status, const std::string& text) {
  const auto until = std::chrono::steady_clock::now() + kBecomes;
  while (std::chrono::steady_clock::now() < until) {
    const Fetched page = Fetch(url);
    if (page.status == status && page.body.find(text) != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return false;
}

bool NetCluster::Repeat(const std::vector<std::string>& words,
                        const std::function<bool(const Ended&)>& holds, Ended& ended) {
  const auto until = std::chrono::steady_clock::now() + kBecomes;
  while (std::chrono::steady_clock::now() < until) {
    ended = Hsm(words);
    if (holds(ended)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return false;
}

bool NetCluster::Becomes(const std::vector<std::string>& words, const std::string& text) {
  Ended ended;
  return Repeat(
      words, [&](const Ended& now) { return now.out.find(text) != std::string::npos; }, ended);
}

Ended NetCluster::Until(const std::vector<std::string>& words, int code, const std::string& text) {
  Ended ended;
  const bool came = Repeat(
      words,
      [&](const Ended& now) {
        return now.code == code && (now.out + now.err).find(text) != std::string::npos;
      },
      ended);
  REQUIRE_MESSAGE(came, words.front() << ": " << ended.code << " " << ended.out << ended.err);
  return ended;
}

std::string NetCluster::Value(const std::string& name) {
  const Ended ended = Hsm({"get", name, "--key", "k", "--raw"});
  return ended.code == 0 ? ended.out : fmt::format("exit {}: {}", ended.code, ended.err);
}

}  // namespace hsmops::test
