#include "test/sim/scheduler.h"

#include <cstdlib>
#include <utility>

#include "libhsmops/base/check.h"

namespace hsmops::sim {

namespace ctx = boost::context;

// A stack that runs one task after another.
class Fibre {
 public:
  explicit Fibre(std::size_t number)
      : number_(number),
        inside_(std::allocator_arg, ctx::fixedsize_stack(kStackBytes),
                [this](ctx::fiber&& outside) {
                  outside_ = std::move(outside);
                  for (;;) {
                    Task task = std::exchange(task_, nullptr);
                    if (!task) break;
                    task();
                    task = nullptr;
                    ended_ = true;
                    Leave();
                  }
                  return std::move(outside_);
                }) {}

  void Begin(Process* process, Task task) {
    process_ = process;
    life_ = process == nullptr ? 0 : process->life;
    task_ = std::move(task);
    ended_ = false;
    ready_ = false;
  }
  void Enter() { inside_ = std::move(inside_).resume(); }
  void Leave() { outside_ = std::move(outside_).resume(); }
  // With no task the stack unwinds.
  void Close() {
    task_ = nullptr;
    if (inside_) Enter();
  }

  bool dead() const { return process_ != nullptr && process_->life != life_; }

  const std::size_t number_;
  Process* process_ = nullptr;
  std::uint64_t life_ = 0;
  bool ended_ = true;
  bool ready_ = false;

 private:
  static constexpr std::size_t kStackBytes = std::size_t{256} << 10;
  Task task_;
  ctx::fiber inside_;
  ctx::fiber outside_;
};

bool Scheduler::Older::operator()(const Fibre* left, const Fibre* right) const {
  return left->number_ < right->number_;
}

Scheduler::Scheduler(std::uint64_t seed) : rng_(seed) {}
Scheduler::~Scheduler() { Finish(); }

void Scheduler::Finish() {
  for (int rounds = 0; !busy_.empty(); ++rounds) {
    if (rounds > 100'000) std::abort();  // a fibre that does not notice that it is dead
    ready_.clear();
    parked_.clear();
    for (Fibre* fibre : busy_) {
      if (fibre->process_ != nullptr) fibre->life_ = 0;
      fibre->ready_ = false;
      Ready(fibre);
    }
    while (RunOneReady()) {
    }
  }
  for (const auto& fibre : fibres_) fibre->Close();
  fibres_.clear();
  idle_.clear();
}

void Scheduler::Spawn(Process* process, Task task) {
  if (idle_.empty()) {
    fibres_.push_back(std::make_unique<Fibre>(fibres_.size()));
    idle_.push_back(fibres_.back().get());
  }
  Fibre* fibre = idle_.back();
  idle_.pop_back();
  fibre->Begin(process, std::move(task));
  // What a dead fibre begins is dead as well.
  if (current_ != nullptr && current_->dead() && process == current_->process_)
    fibre->life_ = current_->life_;
  busy_.insert(fibre);
  Ready(fibre);
}

void Scheduler::At(Time when, Task event) {
  events_.push({std::max(when, now_), order_++, std::move(event)});
}

bool Scheduler::dead() const { return current_ != nullptr && current_->dead(); }
Process* Scheduler::process() const { return current_ == nullptr ? nullptr : current_->process_; }

void Scheduler::SleepUntil(Time when) {
  HSM_CHECK(current_ != nullptr);
  Fibre* self = current_;
  auto over = std::make_shared<bool>(false);
  At(when, [this, self, over] {
    if (*over) return;
    *over = true;
    Wake(self);
  });
  while (!*over && !self->dead()) Block();
  *over = true;
}

void Scheduler::Block() {
  Fibre* self = current_;
  HSM_CHECK(self != nullptr);
  current_ = nullptr;
  self->Leave();
}

void Scheduler::Ready(Fibre* fibre) {
  if (fibre->ended_ || fibre->ready_) return;
  fibre->ready_ = true;
  ready_.push_back(fibre);
}

void Scheduler::Wake(Fibre* fibre) { Ready(fibre); }

void Scheduler::Resume(Fibre* fibre) {
  fibre->ready_ = false;
  Fibre* before = std::exchange(current_, fibre);
  fibre->Enter();
  current_ = before;
  if (!fibre->ended_) return;
  busy_.erase(fibre);
  idle_.push_back(fibre);
}

Fibre* Scheduler::TakeReady() {
  const std::size_t at = in_order_ ? 0 : Below(ready_.size());
  Fibre* fibre = ready_[at];
  if (in_order_) {
    ready_.erase(ready_.begin());
  } else {
    std::swap(ready_[at], ready_.back());
    ready_.pop_back();
  }
  return fibre;
}

bool Scheduler::RunOneReady() {
  // A paused process keeps its turn for later.
  for (std::size_t left = ready_.size(); left > 0; --left) {
    Fibre* fibre = TakeReady();
    Process* process = fibre->process_;
    if (process != nullptr && !fibre->dead() && process->paused_until > now_) {
      parked_.push_back(fibre);
      continue;
    }
    Resume(fibre);
    return true;
  }
  return false;
}

void Scheduler::Kill(Process& process) {
  ++process.life;
  process.running = false;
  process.paused_until = {};
  Unpark();
  for (Fibre* fibre : busy_) {
    if (fibre->process_ == &process) Ready(fibre);
  }
}

void Scheduler::Pause(Process& process, Time until) {
  process.paused_until = until;
  At(until, [this] { Unpark(); });
}

void Scheduler::Unpause(Process& process) {
  process.paused_until = {};
  Unpark();
}

// Those whose process goes on, or was killed meanwhile.
void Scheduler::Unpark() {
  std::vector<Fibre*> still;
  for (Fibre* fibre : std::exchange(parked_, {})) {
    const Process* process = fibre->process_;
    if (process != nullptr && !fibre->dead() && process->paused_until > now_) {
      still.push_back(fibre);
    } else {
      ready_.push_back(fibre);
    }
  }
  parked_.insert(parked_.end(), still.begin(), still.end());
}

bool Scheduler::RunUntil(Time when, const std::function<bool()>& step) {
  for (;;) {
    while (RunOneReady()) {
      if (!step()) return false;
    }
    if (events_.empty() || events_.top().when > when) break;
    // The queue hands out const references only; what is taken is popped at once.
    Event event = std::move(const_cast<Event&>(events_.top()));
    events_.pop();
    now_ = std::max(now_, event.when);
    event.task();
  }
  now_ = when;
  return true;
}

}  // namespace hsmops::sim
