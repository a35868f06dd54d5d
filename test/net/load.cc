#include "test/net/load.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <bitset>
#include <random>

#include "libhsmops/agent/http_channel.h"
#include "libhsmops/manager/live_api.h"

namespace hsmops::test {
namespace {

using base::ErrorCode;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kPatience{4};       // for one request
constexpr std::chrono::seconds kWritePatience{8};  // for a write, however often it is sent
constexpr milliseconds kPause{50};                 // after an answer that was none
constexpr milliseconds kWatchPause{5};
constexpr unsigned kReadsInTen = 4;

std::string NameOf(std::uint64_t number) { return fmt::format("app/{:02}", number); }

std::string TextOf(const std::optional<store::Secret>& secret) {
  if (!secret) return "";
  const auto found = secret->keys.find("k");
  if (found == secret->keys.end()) return "no key k";
  const base::ByteView bytes = found->second.view();
  return {bytes.begin(), bytes.end()};
}

}  // namespace

// One client: turns to another manager when one does not answer as it should.
class Load::Client {
 public:
  Client(Load& load, int number) : load_(load), name_(fmt::format("client {}", number)) {
    for (const int manager : load_.cluster_.managers()) {
      net::Peer peer;
      peer.url = "https://" + load_.cluster_.ManagerAddress(manager);
      peer.identity = *net::Identity{load_.credentials_->Current()->identity().pool,
                                     net::Role::kManager, fmt::format("manager-{}", manager)}
                           .Id();
      managers_.emplace_back(*load_.transport_, peer, load_.clock_, "default", "local", kPatience);
    }
    manager_ = static_cast<std::size_t>(number) % managers_.size();
  }

  void Run() {
    while (!load_.stop_) {
      if (random_() % 10 < kReadsInTen) {
        Read();
      } else {
        Write();
      }
    }
  }

 private:
  manager::LiveClient& Manager() { return managers_[manager_]; }
  void TurnToAnother() {
    manager_ = (manager_ + 1) % managers_.size();
    load_.clock_.SleepFor(kPause);
  }

  Attempt Begin() {
    Attempt attempt;
    attempt.client = name_;
    attempt.name = NameOf(random_() % kNames);
    attempt.asked = load_.clock_.Now();
    return attempt;
  }
  void End(Attempt attempt) {
    attempt.told = load_.clock_.Now();
    load_.history_.Add(std::move(attempt));
  }

  void Read() {
    Attempt attempt = Begin();
    const auto name = *store::SecretName::Parse(attempt.name);
    auto served = Manager().Get(name);
    if (!served.ok()) return TurnToAnother();
    if (!served->by_primary) return;  // of some version, which proves nothing
    attempt.outcome = Attempt::Outcome::kRead;
    if (served->secret) attempt.version = served->secret->version;
    attempt.value = TextOf(served->secret);
    End(std::move(attempt));
  }

  void Write() {
    Attempt attempt = Begin();
    const auto op_id = base::SystemRng().Array<16>();
    attempt.value = store::OpIdText(op_id);
    const auto stamp = Manager().TakeStamp();
    if (!stamp.ok()) return TurnToAnother();
    attempt.outcome = Attempt::Outcome::kRefused;
    const base::TimePoint until = attempt.asked + kWritePatience;
    while (!Settle(attempt, *stamp, op_id) && load_.clock_.Now() < until) TurnToAnother();
    End(std::move(attempt));
  }

  // Sends the write, perhaps again. True: nothing more can be learnt of it.
  bool Settle(Attempt& attempt, const mirror::Stamp& stamp, const store::OpId& op_id) {
    std::vector<store::Write> writes;
    writes.push_back({.name = *store::SecretName::Parse(attempt.name)});
    writes.front().keys.emplace("k", base::SecretBytes::FromText(attempt.value));
    writes.front().op_id = op_id;
    const auto answered = Manager().Put(stamp, writes);
    if (answered.ok() && answered->size() == 1 && answered->front().ok()) {
      attempt.outcome = Attempt::Outcome::kAcknowledged;
      attempt.version = answered->front()->version;
      attempt.repeated = answered->front()->repeated;
      return true;
    }
    const base::Error error = !answered.ok() ? answered.error()
                              : answered->size() == 1
                                  ? answered->front().error()
                                  : base::Error(ErrorCode::kInDoubt, "no answer for the write");
    if (error.code() == ErrorCode::kInDoubt) attempt.outcome = Attempt::Outcome::kMaybe;
    // Refused for good, or as a write that nobody remembers and that comes too late to be done.
    const bool passing = error.code() == ErrorCode::kInDoubt ||
                         error.code() == ErrorCode::kUnavailable ||
                         error.code() == ErrorCode::kReadOnly;
    return !passing || (attempt.outcome == Attempt::Outcome::kRefused && load_.stop_);
  }

  Load& load_;
  const std::string name_;
  std::vector<manager::LiveClient> managers_;
  std::size_t manager_ = 0;
  std::mt19937_64 random_{std::random_device{}()};
};

Load::Load(NetCluster& cluster, const Network& network, History& history)
    : cluster_(cluster), network_(network), history_(history) {
  const std::string certs = cluster_.Issue("manager", "client");
  auto opened = net::CredentialSource::Open(
      {certs + "/ca.crt", certs + "/tls.crt", certs + "/tls.key"}, clock_);
  REQUIRE(opened.ok());
  credentials_ = *std::move(opened);
  transport_ = std::make_unique<net::CurlTransport>(*credentials_, clock_);
  for (int i = 1; i <= kClients; ++i) {
    threads_.emplace_back([this, i] {
      const Network::Visit visit(network_, "client");
      Client(*this, i).Run();
    });
  }
  threads_.emplace_back([this] {
    const Network::Visit visit(network_, "client");
    WatchAgents();
  });
}

Load::~Load() { Stop(); }

void Load::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::unique_ptr<mirror::Member> Load::Reach(const std::string& node) {
  return agent::ReachMember(*transport_, credentials_->Current()->identity().pool, node,
                            "https://" + cluster_.AddressOf(node), clock_);
}

base::Result<store::Inventory> Load::InventoryOf(const std::string& node) {
  const Network::Visit visit(network_, "client");
  return Reach(node)->ReadInventory(std::bitset<store::kBuckets>().set());
}

base::Result<mirror::Pulse> Load::PulseOf(const std::string& node) {
  const Network::Visit visit(network_, "client");
  return Reach(node)->TakePulse();
}

// Only one that has its gate open answers as the Primary.
void Load::WatchAgents() {
  std::mt19937_64 random(std::random_device{}());
  std::map<std::string, std::unique_ptr<mirror::Member>> members;
  for (const std::string& node : cluster_.nodes()) members[node] = Reach(node);
  while (!stop_) {
    for (const auto& [node, member] : members) {
      Attempt attempt;
      attempt.client = "watcher of " + node;
      attempt.name = NameOf(random() % kNames);
      attempt.asked = clock_.Now();
      auto read = member->Read(*store::SecretName::Parse(attempt.name), true);
      if (!read.ok()) continue;
      attempt.told = clock_.Now();
      attempt.outcome = Attempt::Outcome::kRead;
      attempt.version = read->version;
      attempt.value = TextOf(read->secret);
      history_.Add(std::move(attempt));
    }
    clock_.SleepFor(kWatchPause);
  }
}

}  // namespace hsmops::test
