#include "cli/demo/agents_story.h"

#include <fmt/format.h>

#include <array>
#include <map>

#include "cli/demo/daemon.h"
#include "cli/demo/relay.h"
#include "libhsmops/agent/local_token.h"
#include "libhsmops/cluster/directory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::array kWorkers = {"worker-1", "worker-2", "worker-3"};
constexpr int kManagers = 3;
constexpr std::chrono::seconds kFailoverLimit{40};
constexpr std::chrono::seconds kSyncLimit{30};

class AgentsStory {
 public:
  explicit AgentsStory(Narrator& narrator) : tell_(narrator) {}

  Result<void> Tell() {
    HSM_RETURN_IF_ERROR(Starting());
    HSM_RETURN_IF_ERROR(LosingTheAgent());
    HSM_RETURN_IF_ERROR(LosingTheLeader());
    return LosingTheNetwork();
  }

 private:
  struct Node {
    std::string token;  // its URI
    Relay relay;
    std::optional<Daemon> agent;
  };

  Result<void> Starting() {
    tell_.Say(
        "Now without anybody at the keyboard: an agent beside each token, three managers, each a "
        "process of its own, mutual TLS between them. The cluster folder stands in for "
        "Kubernetes.");
    HSM_RETURN_IF_ERROR(tell_.Run({"certs", "init"}, {kDone, {"spiffe://"}, {}}));
    std::vector<std::string> init{"init"};
    for (const char* node : kWorkers) {
      HSM_RETURN_IF_ERROR(tell_.Run({"certs", "issue", "--member", node}, {kDone, {node}, {}}));
      HSM_TRY(nodes_[node].token,
              agent::MakeLocalToken(context().program(), tell_.Path(std::string("token-") + node),
                                    node, context().clock(), context().rng()));
      HSM_RETURN_IF_ERROR(nodes_[node].relay.Open());
      HSM_RETURN_IF_ERROR(StartAgent(node));
      init.insert(init.end(),
                  {"--member", fmt::format("{}=https://{}", node, nodes_[node].relay.address())});
    }
    HSM_RETURN_IF_ERROR(tell_.Run(init, {kDone, {"worker-1"}, {}}, 4));
    HSM_RETURN_IF_ERROR(MakeBrisk());
    for (int i = 1; i <= kManagers; ++i) {
      const std::string name = fmt::format("manager-{}", i);
      HSM_RETURN_IF_ERROR(tell_.Run({"certs", "issue", "--manager", name}, {kDone, {name}, {}}));
      HSM_RETURN_IF_ERROR(StartManager(name));
    }
    HSM_RETURN_IF_ERROR(tell_.Await({"check", "--for", "failover"},
                                    {kDone, {"could be promoted"}, {}}, kSyncLimit));
    HSM_RETURN_IF_ERROR(tell_.File("first", "written with all three"));
    HSM_RETURN_IF_ERROR(Put("first"));
    return tell_.Run({"status"}, {kDone, {"worker-1"}, {}});
  }

  Result<void> LosingTheAgent() {
    tell_.Say(
        "The Primary's host dies: kill -9 of its agent. Nobody types anything. Three looks in a "
        "row "
        "fail, its grant has to run out on any clock, and a mirror that holds everything "
        "acknowledged is promoted.");
    tell_.Aside("kill -9 of the agent of worker-1");
    const base::TimePoint died = context().clock().Now();
    nodes_.at("worker-1").agent->Kill();
    HSM_RETURN_IF_ERROR(AwaitPromotion("worker-1", died));
    HSM_RETURN_IF_ERROR(tell_.Run({"history"}, {kDone, {"Failover", "none"}, {}}));
    HSM_RETURN_IF_ERROR(tell_.Run({"get", "app/first", "--reveal"},
                                  {kDone, {"written with all three"}, {"served by mirror"}}));
    tell_.Say("The host returns. It is brought up to date; there is no failback by itself.");
    HSM_RETURN_IF_ERROR(StartAgent("worker-1"));
    return AwaitEqual();
  }

  Result<void> LosingTheLeader() {
    const std::string leader = LeadingManager();
    if (!managers_.contains(leader))
      return Error(ErrorCode::kInternal, "no manager leads that this story started");
    tell_.Say("The manager that leads dies. The others relay grants meanwhile: writes go on.");
    tell_.Aside("kill -9 of " + leader);
    managers_.at(leader).Kill();
    managers_.erase(leader);
    HSM_RETURN_IF_ERROR(tell_.File("second", "written while nobody led"));
    HSM_RETURN_IF_ERROR(Put("second"));
    HSM_RETURN_IF_ERROR(tell_.Until([&] { return managers_.contains(LeadingManager()); },
                                    kFailoverLimit, "no other manager leads"));
    tell_.Aside(LeadingManager() + " leads now");
    return {};
  }

  // The dangerous one: the Primary is well and knows nothing.
  Result<void> LosingTheNetwork() {
    const std::string cut = PrimaryNode();
    if (!nodes_.contains(cut)) return Error(ErrorCode::kInternal, "there is no Primary to cut off");
    tell_.Say(
        "The network to the Primary is cut. Its agent and its token are well, so it closes "
        "its own gate when its grant runs out: before anybody else may open one.");
    tell_.Aside("cutting off " + cut);
    const base::TimePoint began = context().clock().Now();
    nodes_.at(cut).relay.Cut(true);
    HSM_RETURN_IF_ERROR(AwaitPromotion(cut, began));
    HSM_RETURN_IF_ERROR(tell_.File("third", "written on the other side"));
    HSM_RETURN_IF_ERROR(Put("third"));
    tell_.Say("The network is back. The old Primary learns of the new epoch and follows.");
    tell_.Aside("mending the network of " + cut);
    nodes_.at(cut).relay.Cut(false);
    HSM_RETURN_IF_ERROR(AwaitEqual());
    HSM_RETURN_IF_ERROR(tell_.Run({"divergence", "list"}, {kDone, {}, {"app/"}}));
    for (const auto& [name, value] : {std::pair("first", "written with all three"),
                                      std::pair("second", "written while nobody led"),
                                      std::pair("third", "written on the other side")})
      HSM_RETURN_IF_ERROR(tell_.Run({"get", std::string("app/") + name, "--key", "note", "--raw"},
                                    {kDone, {value}, {}}));
    return tell_.Run({"history"}, {kDone, {"Failover"}, {"unknown"}});
  }

  Result<void> StartAgent(const std::string& node) {
    const std::string certs = fmt::format("{}/certs/member-{}", tell_.cluster(), node);
    Node& its = nodes_.at(node);
    its.agent.reset();
    HSM_TRY(its.agent,
            Daemon::Start(context().program(),
                          {"agent", "--token", its.token, "--state", tell_.Path("state-" + node),
                           "--listen", "127.0.0.1:0", "--ca", certs + "/ca.crt", "--cert",
                           certs + "/tls.crt", "--key", certs + "/tls.key"},
                          tell_.Path("agent-" + node + ".log"), context().clock()));
    const std::string& address = its.agent->address();
    its.relay.PassTo(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    tell_.Aside("the agent of " + node + " runs");
    return {};
  }

  Result<void> StartManager(const std::string& name) {
    const std::string certs = fmt::format("{}/certs/manager-{}", tell_.cluster(), name);
    HSM_TRY(Daemon manager,
            Daemon::Start(context().program(),
                          {"--local", tell_.cluster(), "manager", "--ca", certs + "/ca.crt",
                           "--cert", certs + "/tls.crt", "--key", certs + "/tls.key"},
                          tell_.Path(name + ".log"), context().clock()));
    managers_.emplace(name, std::move(manager));
    tell_.Aside(name + " runs");
    return {};
  }

  // As `kubectl edit hsmdevice` would, so that the story does not last minutes.
  Result<void> MakeBrisk() {
    HSM_TRY(const auto resources, OpenResources());
    HSM_TRY(auto device, cluster::Load<cluster::HSMDevice>(*resources, "default", "local"));
    cluster::FailoverSpec& failover = device.spec.mirroring->failover;
    failover.health_check_interval = std::chrono::milliseconds(500);
    failover.grant_duration = std::chrono::seconds(3);
    failover.min_interval = std::chrono::seconds(0);
    HSM_TRY(const auto saved, cluster::Save(*resources, device));
    (void)saved;
    tell_.Aside(
        "spec.mirroring.failover of the device: healthCheckInterval 500ms, grantDuration "
        "3, minInterval 0");
    return {};
  }

  // The leader's own sentences say what it saw and did.
  Result<void> AwaitPromotion(const std::string& from, base::TimePoint began) {
    HSM_RETURN_IF_ERROR(tell_.Until(
        [&] {
          const std::string primary = PrimaryNode();
          return !primary.empty() && primary != from;
        },
        kFailoverLimit, "nobody was promoted"));
    HSM_RETURN_IF_ERROR(tell_.File("probe", "a write after the promotion"));
    HSM_RETURN_IF_ERROR(
        tell_.Await({"put", "app/probe", "--from-file", "note=" + tell_.Path("probe")},
                    {kDone, {"written"}, {}}, kFailoverLimit));
    tell_.Aside(fmt::format("{} is the Primary and takes writes, {} later", PrimaryNode(),
                            base::FormatDuration(context().clock().Now() - began)));
    return {};
  }

  Result<void> AwaitEqual() {
    return tell_.Await({"health"}, {kDone, {"healthy"}, {}}, kSyncLimit);
  }

  Result<void> Put(const std::string& name) {
    return tell_.Await({"put", "app/" + name, "--from-file", "note=" + tell_.Path(name)},
                       {kDone, {"written", "worker-"}, {}}, kFailoverLimit);
  }

  Result<std::unique_ptr<cluster::DirectoryResourceStore>> OpenResources() {
    return cluster::DirectoryResourceStore::Open(tell_.cluster(), context().clock(),
                                                 context().rng());
  }

  // "" while nobody is.
  std::string PrimaryNode() {
    const auto resources = OpenResources();
    if (!resources.ok()) return {};
    const auto device = cluster::Load<cluster::HSMDevice>(**resources, "default", "local");
    if (!device.ok() || device->status.promotion) return {};
    return device->status.primary_node;
  }

  // By its name; "" while nobody leads.
  std::string LeadingManager() {
    const auto resources = OpenResources();
    if (!resources.ok()) return {};
    const auto lease = cluster::Load<cluster::Lease>(**resources, "default", "hsm-manager");
    if (!lease.ok() || !lease->spec.holder_identity) return {};
    return lease->spec.holder_identity->substr(0, lease->spec.holder_identity->rfind('.'));
  }

  Context& context() { return tell_.context(); }

  Narrator& tell_;
  std::map<std::string, Node> nodes_;
  std::map<std::string, Daemon> managers_;
};

}  // namespace

Result<void> TellOfAgents(Narrator& narrator) { return AgentsStory(narrator).Tell(); }

}  // namespace hsmops::cli
