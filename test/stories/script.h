// Script: what is to happen in a story, as a person wrote it.
//
//   # what the story is about; kept
//   nodes 3                          at most 9; managers likewise (3)
//   set failover.mode Observe        a field of spec.mirroring
//   write every 500ms                a client writes one secret after another; read likewise
//   at 10s kill node-1               on the story's clock, which begins when all copies are equal
//   at P4 kill leader                the next time that a promotion comes to this step,
//   at P4+3s kill leader             and so long after it; acts one after another have it together
//   at next P4 kill leader           but for this: the time after that
//   end 60s
//   ----
//   the transcript
//
// An act at a step waits for all acts above it. teller.h has the acts and the steps.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/result.h"

namespace hsmops::stories {

struct Act {
  bool next = false;     // another time than the act before it
  std::string moment;    // "P4"; empty: a time
  base::Duration at{0};  // on the story's clock, or after the moment
  std::string text;      // as it stands
  std::vector<std::string> words;
};

struct Script {
  int nodes = 3;
  int managers = 3;
  std::vector<std::pair<std::string, std::string>> settings;  // path below spec.mirroring, value
  base::Duration write_every{0};                              // 0: never
  base::Duration read_every{0};
  std::vector<Act> acts;
  base::Duration end{0};

  // kInvalid names the line.
  static base::Result<Script> Parse(const std::string& text);
};

// A story's file in two: the script with its closing line, and the transcript.
std::pair<std::string, std::string> Split(const std::string& file);

}  // namespace hsmops::stories
