// Notebook: the lines of a transcript, with the times of the story and names that stay the same.
//
// What chance makes (nonces, uids, the names of operations) is called by the order in which it
// first appears; a time of the wall is one of the story's clock.
#pragma once

#include <map>
#include <string>

#include "test/sim/scheduler.h"

namespace hsmops::stories {

class Notebook {
 public:
  explicit Notebook(const sim::Scheduler& scheduler) : scheduler_(scheduler) {}

  // From here on lines are kept, and this is second 0.
  void Begin();
  bool begun() const { return begun_; }
  // A uid that is to be called so.
  void Call(const std::string& uid, const std::string& name) { names_[uid] = name; }
  void Write(const std::string& line);
  // Without a time, for what holds in the end.
  void Close(const std::string& line);
  const std::string& text() const { return text_; }
  // "12.3s" of that moment, or of now.
  std::string At(sim::Time time) const;

 private:
  std::string Plain(std::string line);

  const sim::Scheduler& scheduler_;
  bool begun_ = false;
  sim::Time zero_{0};
  std::string text_;
  std::map<std::string, std::string> names_;
  std::map<std::string, int> counts_;  // of names given, by kind
};

}  // namespace hsmops::stories
