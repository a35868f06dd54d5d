// The seams of one simulated process: its clock, executor, chance, network and resource store.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "libhsmops/base/executor.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/cluster/resource_store.h"
#include "libhsmops/net/http_message.h"
#include "libhsmops/net/transport.h"
#include "test/sim/scheduler.h"

namespace hsmops::sim {

inline constexpr std::int64_t kBeginOfRun = 1'800'000'000;  // seconds of wall time

// A host's clock: begins anywhere, runs a little fast or slow, may stand still for a while; its
// wall time may jump.
class SimClock : public base::Clock {
 public:
  SimClock(Scheduler& scheduler, double rate, Duration since_boot)
      : scheduler_(scheduler), rate_(rate), since_boot_(since_boot) {}

  base::TimePoint Now() const override;
  base::WallTime Wall() const override;
  void SleepFor(Duration duration) override;

  // When this clock will show that; for deadlines.
  Time When(base::TimePoint point) const;
  void JumpWall(Duration by) { wall_offset_ += by; }
  void StandStill(Duration lasting);

 private:
  Duration Elapsed() const;

  Scheduler& scheduler_;
  const double rate_;
  const Duration since_boot_;
  Duration wall_offset_{0};
  Duration stood_{0};    // so much was lost while it stood still
  Time still_from_{0};   // it stands still from then
  Time still_until_{0};  // until then
};

class SimMonitor : public base::Monitor {
 public:
  explicit SimMonitor(Scheduler& scheduler) : scheduler_(scheduler) {}
  void lock() override;
  void unlock() override;
  void Wait() override;
  void NotifyAll() override;

 private:
  void WakeAll(std::vector<Fibre*>& fibres);

  Scheduler& scheduler_;
  bool locked_ = false;
  std::vector<Fibre*> lockers_;
  std::vector<Fibre*> waiters_;
  std::uint64_t told_ = 0;  // counts NotifyAll
};

class SimExecutor : public base::Executor {
 public:
  SimExecutor(Scheduler& scheduler, Process& process) : scheduler_(scheduler), process_(process) {}
  void RunAll(std::vector<Task> tasks) override;
  void Start(Task task) override;
  std::unique_ptr<base::Monitor> MakeMonitor() override {
    return std::make_unique<SimMonitor>(scheduler_);
  }

 private:
  Scheduler& scheduler_;
  Process& process_;
};

// Seeded by the scheduler's chance.
class SimRng : public base::Rng {
 public:
  explicit SimRng(Scheduler& scheduler) : scheduler_(scheduler) {}
  void Fill(std::span<std::uint8_t> out) override;

 private:
  Scheduler& scheduler_;
};

// What the network does between two processes, one way.
struct Link {
  bool cut = false;
  bool refuses = false;  // who calls over a cut link learns at once that there is no connection
  double loss = 0;       // of a request or an answer
  double twice = 0;      // a request is delivered again, later
  Duration delay{0};     // at least,
  Duration jitter{0};    // and up to so much more
  // Who calls over a cut link learns after so long that there is no connection; 0: chance says.
  Duration connect_timeout{0};
};

// Requests and answers between processes, by name; what is at the other end is the production
// handler of its routes.
class SimNetwork {
 public:
  using Handler = std::function<net::Reply(net::Received&&)>;
  explicit SimNetwork(Scheduler& scheduler) : scheduler_(scheduler) {}

  // "https://NAME" is this process from now on.
  void Serve(const std::string& name, Process& process, Handler handler);
  Link& Between(const std::string& from, const std::string& to) { return links_[{from, to}]; }
  // One request, by the last word of its path.
  struct Letter {
    const std::string& from;
    const std::string& to;
    std::string_view verb;
  };
  // How much longer this one is under way; asked when it is sent.
  using Post = std::function<Duration(const Letter& letter)>;
  // Called when its handler has ended and the answer is about to leave; must not block.
  using Witness = std::function<void(const Letter& letter)>;
  void SetPost(Post post) { post_ = std::move(post); }
  void SetWitness(Witness witness) { witness_ = std::move(witness); }
  void Heal(const Link& link);  // every link is like this

  base::Result<net::Answer> Call(const std::string& from, const net::Identity& identity,
                                 const SimClock& clock, const net::Peer& peer,
                                 net::Request request);

 private:
  struct Server {
    Process* process = nullptr;
    std::uint64_t life = 0;
    std::shared_ptr<Handler> handler;
  };
  static Duration TimeToLearn(const Link& cut);
  Duration DelayOf(const Link& link);
  Link LinkBetween(const std::string& from, const std::string& to) const;

  Scheduler& scheduler_;
  std::map<std::string, Server> servers_;
  std::map<std::pair<std::string, std::string>, Link> links_;
  Link usual_;
  Post post_;
  Witness witness_;
};

// One process's way to the network.
class SimTransport : public net::Transport {
 public:
  SimTransport(SimNetwork& network, std::string from, net::Identity identity, const SimClock& clock)
      : network_(network), from_(std::move(from)), identity_(std::move(identity)), clock_(clock) {}
  base::Result<net::Answer> Call(const net::Peer& peer, net::Request request) override {
    return network_.Call(from_, identity_, clock_, peer, std::move(request));
  }

 private:
  SimNetwork& network_;
  const std::string from_;
  const net::Identity identity_;
  const SimClock& clock_;
};

// What one process's way to the shared resource store does.
struct StoreFaults {
  bool cut = false;
  double refused = 0;      // nothing happened, and it says so
  double lost_before = 0;  // in doubt, and nothing happened
  double lost_after = 0;   // in doubt, and it did
  Duration delay{0};
  Duration jitter{0};
  double stale = 0;  // a Get answers what it answered the last time, as a cache does
};

class SimResources : public cluster::ResourceStore {
 public:
  // `writes` counts those of everybody.
  SimResources(Scheduler& scheduler, cluster::ResourceStore& shared, std::uint64_t& writes)
      : scheduler_(scheduler), shared_(shared), writes_(writes) {}
  StoreFaults faults;

  base::Result<cluster::Object> Get(cluster::Kind kind, std::string_view ns,
                                    std::string_view name) override;
  base::Result<cluster::Object> GetLatest(cluster::Kind kind, std::string_view ns,
                                          std::string_view name) override;
  base::Result<cluster::ObjectList> List(cluster::Kind kind, std::string_view ns) override;
  base::Result<cluster::Object> Create(const cluster::Object& object) override;
  base::Result<cluster::Object> Update(const cluster::Object& object,
                                       std::string_view expected) override;
  base::Result<cluster::Object> UpdateStatus(const cluster::Object& object,
                                             std::string_view expected) override;
  base::Result<void> Delete(cluster::Kind kind, std::string_view ns, std::string_view name,
                            std::optional<std::string_view> expected) override;
  base::Result<std::unique_ptr<cluster::Watch>> OpenWatch(cluster::Kind kind, std::string_view ns,
                                                          std::string_view from) override;

 private:
  void Travel();
  base::Result<void> Look();
  base::Result<cluster::Object> Fetch(const cluster::ObjectKey& key);
  template <typename T>
  base::Result<T> Write(const std::function<base::Result<T>()>& effect);

  Scheduler& scheduler_;
  cluster::ResourceStore& shared_;
  std::uint64_t& writes_;
  std::map<cluster::ObjectKey, cluster::Object> cache_;
};

}  // namespace hsmops::sim
