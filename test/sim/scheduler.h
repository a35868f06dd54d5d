// Scheduler: simulated time, processes that can be paused and killed, and the fibres that their
// code runs on. One seed, one run: the same seed gives the same interleaving.
//
// Everything runs on one thread. Code under test knows nothing of this: it blocks in a seam (clock,
// transport, resource store, executor, monitor), and the seam blocks the fibre.
#pragma once

#include <boost/context/fiber.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"

namespace hsmops::sim {

using base::Duration;
// Since the beginning of the run, on nobody's clock.
using Time = Duration;
using Task = std::function<void()>;

// What a killed process did not get to do. Its fibres run on to their end, and find that nothing
// works any more: so every destructor runs, and nothing of it is seen by the others.
struct Process {
  std::string name;
  std::uint64_t life = 1;  // counts its starts; a fibre of an earlier life is dead
  bool running = false;
  Time paused_until{0};
};

class Fibre;

class Scheduler {
 public:
  explicit Scheduler(std::uint64_t seed);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;

  // Everybody is killed and runs to its end, so that every stack is empty: before what they work on
  // goes.
  void Finish();

  Time now() const { return now_; }
  // Who is ready first has the first turn, and chance has no say in it: for a run that is to be
  // read.
  void KeepOrder() { in_order_ = true; }
  bool in_order() const { return in_order_; }

  std::mt19937_64& rng() { return rng_; }
  std::uint64_t Below(std::uint64_t bound) { return bound == 0 ? 0 : rng_() % bound; }
  bool Chance(double probability) {
    return std::uniform_real_distribution<double>(0, 1)(rng_) < probability;
  }

  // A fibre of this process, or of nobody, that begins now.
  void Spawn(Process* process, Task task);
  // Calls `event`, which must not block, at that time.
  void At(Time when, Task event);

  // From within a fibre.
  Fibre* current() const { return current_; }
  // Of a process that was killed since this fibre began; seams do nothing then.
  bool dead() const;
  Process* process() const;
  void SleepUntil(Time when);  // returns at once in a dead fibre
  // Waits to be woken, which also Kill does; so who waits looks again.
  void Block();
  void Wake(Fibre* fibre);

  void Kill(Process& process);
  void Pause(Process& process, Time until);
  void Unpause(Process& process);
  // Runs until then; false: `stop` said so first. `step` is called after each fibre's turn.
  bool RunUntil(Time when, const std::function<bool()>& step);

 private:
  struct Event {
    Time when;
    std::uint64_t order;
    Task task;
    bool operator>(const Event& other) const {
      return std::tie(when, order) > std::tie(other.when, other.order);
    }
  };
  void Resume(Fibre* fibre);
  void Ready(Fibre* fibre);
  void Unpark();
  Fibre* TakeReady();
  bool RunOneReady();

  std::mt19937_64 rng_;
  Time now_{0};
  std::uint64_t order_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<std::unique_ptr<Fibre>> fibres_;
  std::vector<Fibre*> idle_;
  std::vector<Fibre*> ready_;
  // By age: an order of addresses would make another run of a seed in another process.
  struct Older {
    bool operator()(const Fibre* left, const Fibre* right) const;
  };
  std::set<Fibre*, Older> busy_;  // with a task that has not ended
  std::vector<Fibre*> parked_;    // had their turn while their process was paused
  Fibre* current_ = nullptr;
  bool in_order_ = false;
};

}  // namespace hsmops::sim
