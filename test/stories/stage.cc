#include "test/stories/stage.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/cluster/typed_store.h"
#include "test/stories/client.h"

namespace hsmops::stories {

using base::Error;
using base::ErrorCode;
using base::Result;
using cluster::OperationType;
using std::chrono::microseconds;
using std::chrono::seconds;

namespace {

// So short that a request more or less moves nothing that is told.
constexpr microseconds kDelay{10};
constexpr sim::Link kLink{.delay = kDelay};
// As CurlTransport has it.
constexpr seconds kConnectTimeout{5};
// Of the process that is stopped until somebody says go.
constexpr std::chrono::hours kForever{24};

Error Unknown(const std::string& what) { return {ErrorCode::kInvalid, "nobody knows " + what}; }

}  // namespace

Stage::Stage(sim::Cluster& cluster) : cluster_(cluster) {
  cluster_.network().Heal(kLink);
  for (const auto& manager : cluster_.managers()) manager->resources().faults.delay = kDelay;
}

sim::AgentHost* Stage::Agent(const std::string& name) const {
  for (const auto& host : cluster_.agents())
    if (host->node() == name) return host.get();
  return nullptr;
}

sim::ManagerHost* Stage::Manager(const std::string& name) const {
  for (const auto& host : cluster_.managers())
    if (host->name() == name) return host.get();
  return nullptr;
}

sim::ManagerHost* Stage::Leader() const {
  for (const auto& host : cluster_.managers())
    if (host->leads()) return host.get();
  return nullptr;
}

std::string Stage::NodeOf(const std::string& uid) const {
  for (const auto& host : cluster_.agents())
    if (store::UidText(host->uid()) == uid) return host->node();
  return "";
}

sim::AgentHost* Stage::Primary() const {
  const auto r = cluster_.Arbiter();
  return r && r->holder ? Agent(r->holder->node_name) : nullptr;
}

std::vector<std::string> Stage::Everybody() const {
  std::vector<std::string> all{kClient};
  for (const auto& host : cluster_.agents()) all.push_back(host->node());
  for (const auto& host : cluster_.managers()) all.push_back(host->name());
  return all;
}

std::vector<std::string> Stage::Who(const std::string& name) const {
  const auto r = cluster_.Arbiter();
  const sim::AgentHost* primary = Primary();
  std::vector<std::string> who;
  if (name == "primary" && primary != nullptr) who.push_back(primary->node());
  if (name == "target" && r && !r->target.empty()) who.push_back(NodeOf(r->target));
  if (name == "leader" && Leader() != nullptr) who.push_back(Leader()->name());
  for (const std::string& host : Everybody()) {
    const bool agent = Agent(host) != nullptr;
    const bool mirror = agent && (primary == nullptr || primary->node() != host);
    if (host == name || (name == "agents" && agent) || (name == "mirrors" && mirror) ||
        (name == "managers" && Manager(host) != nullptr))
      who.push_back(host);
  }
  return who;
}

Result<void> Stage::Do(const Words& words) {
  const std::string& verb = words[0];
  if (verb == "pause") return Ask(OperationType::kPause, words);
  if (verb == "resume") return Ask(OperationType::kResume, words);
  if (verb == "ack") return Ask(OperationType::kAck, words);
  if (words.size() < 2) return Unknown(verb);
  if (verb == "promote") return Ask(OperationType::kPromote, words);
  if (verb == "failover") return Ask(OperationType::kFailover, words);
  if (words[1] == "R") return OnRecord(verb);
  const std::vector<std::string> hosts = Who(words[1]);
  if (hosts.empty()) return Unknown(words[1]);
  for (const std::string& host : hosts) HSM_RETURN_IF_ERROR(DoTo(verb, host, words));
  return {};
}

Result<void> Stage::DoTo(const std::string& verb, const std::string& host, const Words& words) {
  sim::AgentHost* agent = Agent(host);
  sim::ManagerHost* manager = Manager(host);
  if (verb == "cut") return Cut(host, words);
  if (verb == "join") {
    Join(host);
    return {};
  }
  if (agent == nullptr && manager == nullptr) return Unknown(verb + " of " + host);
  sim::Process& process = agent != nullptr ? agent->process() : manager->process();
  if (verb == "kill") {
    End(host);
  } else if (verb == "lose") {
    End(host);
    for (const std::string& other : Everybody()) Separate(host, other);
  } else if (verb == "start") {
    Begin(host);
  } else if (verb == "stop") {
    cluster_.scheduler().Pause(process, cluster_.scheduler().now() + kForever);
  } else if (verb == "go") {
    cluster_.scheduler().Unpause(process);
  } else if (verb == "still" && words.size() == 3) {
    HSM_TRY(const base::Duration lasting, base::ParseDuration(words[2]));
    (agent != nullptr ? agent->clock() : manager->clock()).StandStill(lasting);
  } else if (agent != nullptr && verb == "unplug") {
    agent->memory().Unplug();
  } else if (agent != nullptr && verb == "plug") {
    agent->memory().Replug();
  } else if (agent != nullptr && verb == "empty") {
    agent->EmptyToken();
  } else if (agent != nullptr && verb == "swap") {
    agent->ForeignToken();
  } else {
    return Unknown(verb);
  }
  return {};
}

void Stage::End(const std::string& host) {
  if (sim::AgentHost* agent = Agent(host); agent != nullptr) return agent->Kill(true);
  Manager(host)->Kill();
}

void Stage::Begin(const std::string& host) {
  Join(host);
  sim::AgentHost* agent = Agent(host);
  sim::ManagerHost* manager = Manager(host);
  if (agent != nullptr && !agent->process().running) agent->Start();
  if (manager != nullptr && !manager->process().running) manager->Start();
}

void Stage::Separate(const std::string& a, const std::string& b) {
  if (a == b) return;
  sim::Link cut = kLink;
  cut.cut = true;
  cut.connect_timeout = kConnectTimeout;
  cluster_.network().Between(a, b) = cut;
  cluster_.network().Between(b, a) = cut;
}

void Stage::Join(const std::string& host) {
  for (const std::string& other : Everybody()) {
    cluster_.network().Between(host, other) = kLink;
    cluster_.network().Between(other, host) = kLink;
  }
  if (sim::ManagerHost* manager = Manager(host); manager != nullptr)
    manager->resources().faults.cut = false;
}

Result<void> Stage::Cut(const std::string& host, const Words& words) {
  if (words.size() < 4 || words[2] != "from") return Unknown("a cut from nobody");
  for (auto name = words.begin() + 3; name != words.end(); ++name) {
    sim::ManagerHost* manager = Manager(host);
    if (*name == "store" && manager != nullptr) {
      manager->resources().faults.cut = true;
      continue;
    }
    const std::vector<std::string> others = *name == "all" ? Everybody() : Who(*name);
    if (others.empty()) return Unknown(*name);
    for (const std::string& other : others) Separate(host, other);
  }
  return {};
}

Result<void> Stage::Ask(OperationType type, const Words& words) {
  cluster::HSMOperation operation;
  operation.metadata.ns = sim::kNamespace;
  operation.metadata.name = fmt::format("asked-{}", ++operations_);
  operation.spec.device_ref.name = sim::kDevice;
  operation.spec.type = type;
  operation.spec.reason = "the story";
  if (type == OperationType::kPause) {
    if (words.size() != 2) return Unknown("a pause without an end");
    HSM_TRY(const base::Duration lasting, base::ParseDuration(words[1]));
    const auto now = cluster_.managers().front()->clock().Wall();
    operation.spec.until = now + std::chrono::duration_cast<std::chrono::microseconds>(lasting);
  } else if (words.size() > 1) {
    operation.spec.target_node = words[1];
    operation.spec.accept_loss = words.size() > 2 && words[2] == "accept-loss";
    loss_accepted_ = loss_accepted_ || operation.spec.accept_loss;
  }
  HSM_TRY(const auto made, cluster::CreateNew(cluster_.shared(), operation));
  (void)made;  // the managers find it
  ++cluster_.store_writes();
  return {};
}

Result<void> Stage::OnRecord(const std::string& verb) {
  const std::string name = cluster::ArbiterName(sim::kDevice);
  HSM_TRY(cluster::Lease now,
          cluster::Load<cluster::Lease>(cluster_.shared(), sim::kNamespace, name));
  auto device = cluster_.Device();
  if (verb == "keep") {
    kept_ = std::move(now);
    kept_status_ = device->status;
    return {};
  }
  if (verb != "restore" || !kept_) return Unknown(verb + " of a record");
  now.spec = kept_->spec;
  now.metadata.annotations = kept_->metadata.annotations;
  device->status = kept_status_;
  HSM_TRY(now, cluster::Save(cluster_.shared(), now));
  HSM_TRY(*device, cluster::SaveStatus(cluster_.shared(), *device));
  ++cluster_.store_writes();
  return {};
}

}  // namespace hsmops::stories
