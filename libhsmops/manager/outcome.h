// Outcome: what a promotion or a sync came to, in words for people: the same from a command as from
// the manager that leads.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "libhsmops/manager/promotion.h"
#include "libhsmops/manager/sync.h"

namespace hsmops::manager {

// Why a member may be promoted or not, a line each, and what would be lost.
std::vector<std::string> ForeseenOf(const PromotionReport& report);
std::string SentenceOf(const PromotionReport& report, const PromotionOptions& options);

// What the plan would do, a line for each step and for each member that cannot be asked.
std::vector<std::string> ForeseenOf(const SyncReport& report);
std::string SentenceOf(const SyncReport& report, bool dry_run);
// What did not go well: whom or what it is about, and a sentence. `whole`: as RecordSync says.
std::vector<std::pair<std::string, std::string>> TroublesOf(const SyncReport& report, bool whole);

}  // namespace hsmops::manager
