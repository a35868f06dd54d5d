// MirroredPool: a SmallPool of a and b in which a is granted and b in the sync set.
#pragma once

#include "libhsmops/manager/controller.h"
#include "libhsmops/manager/grant.h"
#include "test/unit/manager/small_pool.h"

namespace hsmops::manager {

struct MirroredPool {
  MirroredPool() {
    Controller controller(pool.world(), "default", "d");
    for (int turn = 0; turn < 5; ++turn) {
      Grant();
      (void)controller.Turn();
      pool.clock().Advance(std::chrono::seconds(1));
    }
    REQUIRE(InSync());
    Grant();
  }

  void Grant() { REQUIRE(GrantTo(*pool.Open(), "a").ok()); }
  bool InSync() { return pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"}; }

  // Through the agent, as a client's write comes to it. An empty value deletes.
  base::Result<mirror::Acknowledged> Put(const char* name, const std::string& value) {
    store::Write write{
        .name = *store::SecretName::Parse(name), .remove = value.empty(), .op_id = {++op_}};
    if (!value.empty()) {
      base::SecretBytes bytes;
      bytes.Append(base::AsBytes(value));
      write.keys.emplace("k", std::move(bytes));
    }
    std::vector<store::Write> writes;
    writes.push_back(std::move(write));
    mirror::Member& primary = pool.member("a");
    HSM_TRY(auto results, primary.Put(primary.TakePulse()->stamp, std::move(writes)));
    return std::move(results[0]);
  }
  // Of its key k; "absent".
  std::string Seen(const char* name) {
    const auto read = pool.member("a").Read(*store::SecretName::Parse(name), true);
    REQUIRE_MESSAGE(read.ok(), read.error().message());
    if (!read->secret) return "absent";
    const base::ByteView value = read->secret->keys.at("k").view();
    return {value.begin(), value.end()};
  }

  SmallPool pool{{"a", "b"}};

 private:
  std::uint8_t op_ = 0;
};

}  // namespace hsmops::manager
