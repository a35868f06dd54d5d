// LocalCluster: a cluster folder as the real command works on it, and what its members say of
// themselves when nobody but the test asks them.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libhsmops/agent/child.h"
#include "libhsmops/agent/client.h"
#include "libhsmops/base/digest.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/cluster/directory_resource_store.h"
#include "libhsmops/manager/pool.h"
#include "test/support/process.h"

namespace hsmops::test {

// What one member says, asked past the command and the arbiter.
struct Claim {
  bool answers = false;
  bool primary = false;  // its role in the highest epoch that it has seen
  std::uint64_t epoch = 0;
  std::string digest;
  std::map<std::string, std::string>
      values;  // of each name asked for: key k, "absent", or an error
};

struct ClusterLook {
  std::string trouble;  // why nobody could look
  std::string holder;   // that the arbiter names; "" for none
  bool promoting = false;
  std::uint64_t epoch = 0;
  std::map<std::string, Claim> members;

  // Whoever would write if it were granted: Primary at the highest epoch that any member has seen.
  std::set<std::string> Writers() const {
    std::uint64_t highest = 0;
    for (const auto& [node, claim] : members) highest = std::max(highest, claim.epoch);
    std::set<std::string> writers;
    for (const auto& [node, claim] : members) {
      if (claim.primary && claim.epoch == highest) writers.insert(node);
    }
    return writers;
  }

  // What keeps this from being one healthy cluster with these values; "" when nothing does.
  std::string WhatIsWrong(const std::map<std::string, std::string>& values) const {
    if (!trouble.empty()) return trouble;
    if (promoting) return "a promotion is unfinished";
    if (Writers() != std::set<std::string>{holder}) {
      std::string wrong = "on record is [" + holder + "], Primary by their own word are";
      for (const std::string& node : Writers()) wrong += " " + node;
      return wrong;
    }
    for (const auto& [node, claim] : members) {
      if (!claim.answers) return node + " does not answer";
      if (claim.epoch != epoch)
        return node + " is at epoch " + std::to_string(claim.epoch) + ", on record is " +
               std::to_string(epoch);
      if (claim.digest != members.at(holder).digest) return node + " differs from " + holder;
      for (const auto& [name, value] : values) {
        const std::string& seen = claim.values.at(name);
        if (seen != value)
          return node + " has " + seen.substr(0, 40) + " for " + name + ", not " +
                 value.substr(0, 40);
      }
    }
    return {};
  }
};

class LocalCluster {
 public:
  explicit LocalCluster(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }
  // The command's words with this cluster named before them.
  std::vector<std::string> Command(std::vector<std::string> words) const {
    std::vector<std::string> argv{CliPath(), "--local", folder_};
    argv.insert(argv.end(), std::make_move_iterator(words.begin()),
                std::make_move_iterator(words.end()));
    return argv;
  }
  Ended Hsm(std::vector<std::string> words) const { return Run(Command(std::move(words))); }

  // Every member in a process of its own; no command may run at the same time.
  ClusterLook Look(const std::vector<std::string>& names) const {
    ClusterLook look;
    base::SystemClock clock;
    base::SystemRng rng;
    base::ThreadExecutor executor;
    auto resources = cluster::DirectoryResourceStore::Open(folder_, clock, rng);
    if (!resources.ok()) return {.trouble = resources.error().message()};
    const auto make_member = [&](const std::string& node, const std::string& endpoint,
                                 const store::Uid& pool, const store::Uid& member) {
      agent::ChildConfig config;
      config.uri = endpoint;
      config.pool = pool;
      config.member = member;
      config.state_folder = folder_ + "/.members/default.local/" + node;
      return std::make_unique<agent::Client>(
          agent::MakeChildChannel(CliPath(), std::move(config), std::chrono::seconds(30), clock));
    };
    manager::World world{**resources, clock, rng, executor, make_member};
    auto pool = manager::Pool::Open(world, "default", "local");
    if (!pool.ok()) return {.trouble = pool.error().message()};
    look.holder = (*pool)->holder();
    look.promoting = (*pool)->arbiter().phase != cluster::ArbiterPhase::kNormal;
    look.epoch = (*pool)->epoch().counter;
    for (const std::string& node : (*pool)->nodes()) look.members[node];
    std::vector<base::Executor::Task> tasks;
    for (auto& [node, claim] : look.members) {
      tasks.push_back([&pool, &names, &node = node, &claim = claim] {
        mirror::Member& member = (*pool)->At(node);
        const auto status = member.Status(false);
        if (!status.ok()) return;
        claim.answers = status->digest.has_value();
        claim.primary = status->primary;
        claim.epoch = status->epoch.counter;
        if (status->digest) claim.digest = base::Hex(*status->digest);
        for (const std::string& name : names) claim.values[name] = ValueOf(member, name);
      });
    }
    executor.RunAll(std::move(tasks));
    return look;
  }

 private:
  static std::string ValueOf(mirror::Member& member, const std::string& name) {
    const auto read = member.Read(*store::SecretName::Parse(name), false);
    if (!read.ok()) return std::string(base::Name(read.code()));
    if (!read->secret) return "absent";
    const auto key = read->secret->keys.find("k");
    if (key == read->secret->keys.end()) return "no key k";
    return {key->second.view().begin(), key->second.view().end()};
  }

  std::string folder_;
};

}  // namespace hsmops::test
