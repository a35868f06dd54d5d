#include "test/net/history.h"

#include <fmt/format.h>

#include <algorithm>

namespace hsmops::test {
namespace {

constexpr std::size_t kSentences = 10;

using Attempts = std::vector<const Attempt*>;

bool IsOwnWrite(const Attempt& attempt) {
  return attempt.outcome == Attempt::Outcome::kAcknowledged && !attempt.repeated;
}

bool IsTold(const Attempt& attempt) {
  return attempt.outcome == Attempt::Outcome::kAcknowledged ||
         attempt.outcome == Attempt::Outcome::kRead;
}

std::string Describe(const Attempt& attempt) {
  return fmt::format("{} {} {} as {} ({:.3f} to {:.3f})", attempt.client,
                     attempt.outcome == Attempt::Outcome::kRead ? "read" : "wrote", attempt.name,
                     attempt.version.ToString(),
                     std::chrono::duration<double>(attempt.asked.since_boot).count(),
                     std::chrono::duration<double>(attempt.told.since_boot).count());
}

class Sentences {
 public:
  void Say(std::string sentence) {
    if (said_.size() < kSentences) said_.push_back(std::move(sentence));
  }
  void MoveTo(std::vector<std::string>& all) {
    std::move(said_.begin(), said_.end(), std::back_inserter(all));
  }

 private:
  std::vector<std::string> said_;
};

Attempts Chosen(const std::vector<Attempt>& attempts, bool (*wanted)(const Attempt&)) {
  Attempts chosen;
  for (const Attempt& attempt : attempts) {
    if (wanted(attempt)) chosen.push_back(&attempt);
  }
  return chosen;
}

// Each of them in the order in which it was asked, with `before` called for all that had been
// answered by then.
template <typename Before, typename Look>
void InOrder(const Attempts& attempts, Before before, Look look) {
  Attempts by_asked = attempts;
  Attempts by_told = attempts;
  std::ranges::sort(by_asked, {}, &Attempt::asked);
  std::ranges::sort(by_told, {}, &Attempt::told);
  auto answered = by_told.begin();
  for (const Attempt* attempt : by_asked) {
    for (; answered != by_told.end() && (*answered)->told < attempt->asked; ++answered)
      before(**answered);
    look(*attempt);
  }
}

// What is asked later never has an older version of the name, and a write always has a newer one.
void CheckOrder(const std::vector<Attempt>& attempts, Sentences& wrong) {
  std::map<std::string, const Attempt*> latest;
  InOrder(
      Chosen(attempts, IsTold),
      [&](const Attempt& answered) {
        const Attempt*& last = latest[answered.name];
        if (last == nullptr || last->version < answered.version) last = &answered;
      },
      [&](const Attempt& later) {
        const auto last = latest.find(later.name);
        if (last == latest.end()) return;
        const bool newer = later.version > last->second->version;
        if (newer || (!IsOwnWrite(later) && later.version == last->second->version)) return;
        wrong.Say(fmt::format("{}, but before {}", Describe(later), Describe(*last->second)));
      });
}

// Nobody of a lower epoch is acknowledged once somebody of a higher one was.
void CheckEpochs(const std::vector<Attempt>& attempts, Sentences& wrong) {
  const Attempt* highest = nullptr;
  InOrder(
      Chosen(attempts, IsOwnWrite),
      [&](const Attempt& answered) {
        if (highest == nullptr || highest->version.epoch < answered.version.epoch)
          highest = &answered;
      },
      [&](const Attempt& later) {
        if (highest != nullptr && later.version.epoch < highest->version.epoch)
          wrong.Say(fmt::format("{} in a lower epoch than before it {}", Describe(later),
                                Describe(*highest)));
      });
}

// A version is that of one write, of one name.
void CheckVersions(const std::vector<Attempt>& attempts, Sentences& wrong) {
  std::map<store::Version, const Attempt*> owners;
  for (const Attempt* attempt : Chosen(attempts, IsOwnWrite)) {
    const auto [owner, first] = owners.emplace(attempt->version, attempt);
    if (!first)
      wrong.Say(fmt::format("{}, and so {}", Describe(*attempt), Describe(*owner->second)));
  }
}

// What is read was written, to this name, and not by a write that was refused; and under the
// version that its writer was told.
void CheckValues(const std::vector<Attempt>& attempts, Sentences& wrong) {
  std::map<std::string, const Attempt*> writes;
  for (const Attempt& attempt : attempts) {
    if (attempt.outcome != Attempt::Outcome::kRead) writes[attempt.value] = &attempt;
  }
  for (const Attempt& attempt : attempts) {
    if (attempt.outcome != Attempt::Outcome::kRead || attempt.value.empty()) continue;
    const auto found = writes.find(attempt.value);
    if (found == writes.end() || found->second->name != attempt.name) {
      wrong.Say(fmt::format("{}: nobody wrote that value", Describe(attempt)));
    } else if (found->second->outcome == Attempt::Outcome::kRefused) {
      wrong.Say(fmt::format("{}: its write was refused", Describe(attempt)));
    } else if (IsOwnWrite(*found->second) && found->second->version != attempt.version) {
      wrong.Say(fmt::format("{}, but {}", Describe(attempt), Describe(*found->second)));
    }
  }
}

}  // namespace

void History::Add(Attempt attempt) {
  const std::lock_guard lock(mutex_);
  attempts_.push_back(std::move(attempt));
}

std::vector<Attempt> History::attempts() const {
  const std::lock_guard lock(mutex_);
  return attempts_;
}

std::size_t History::AcknowledgedSince(base::TimePoint time) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(attempts_, [&](const Attempt& attempt) {
    return attempt.outcome == Attempt::Outcome::kAcknowledged && attempt.asked >= time;
  }));
}

std::vector<std::string> Contradictions(const std::vector<Attempt>& attempts) {
  std::vector<std::string> all;
  for (auto* check : {CheckOrder, CheckEpochs, CheckVersions, CheckValues}) {
    Sentences wrong;
    check(attempts, wrong);
    wrong.MoveTo(all);
  }
  return all;
}

std::map<std::string, store::Version> Floor(const std::vector<Attempt>& attempts) {
  std::map<std::string, store::Version> floor;
  for (const Attempt& attempt : attempts) {
    if (attempt.outcome != Attempt::Outcome::kAcknowledged) continue;
    store::Version& version = floor[attempt.name];
    version = std::max(version, attempt.version);
  }
  return floor;
}

std::vector<std::string> Missing(const std::map<std::string, store::Version>& floor,
                                 const std::map<std::string, store::Version>& held) {
  std::vector<std::string> missing;
  for (const auto& [name, version] : floor) {
    const auto found = held.find(name);
    if (found == held.end()) {
      missing.push_back(fmt::format("{} {} is not there", name, version.ToString()));
    } else if (found->second < version) {
      missing.push_back(fmt::format("{} {} is there only as {}", name, version.ToString(),
                                    found->second.ToString()));
    }
  }
  return missing;
}

}  // namespace hsmops::test
