// Apply: the next batch is read while this one is written, and what goes wrong in either half is
// told of exactly what it hit.
#include "libhsmops/mirror/apply.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "libhsmops/mirror/plan.h"
#include "test/unit/agent/pool.h"

namespace hsmops::test {
namespace {

using std::chrono::seconds;

constexpr std::size_t kSecrets = 2 * mirror::kBatchSecrets + 88;  // three batches
constexpr std::size_t kStaged = 100;

class Copying : public ThreeNodes {
 public:
  Copying() {
    REQUIRE(a.Grant(kEpoch, 1, seconds(300)).ok());
    for (std::size_t at = 0; at < kSecrets; at += kStaged) {
      std::vector<store::Write> writes;
      for (std::size_t i = at; i < std::min(at + kStaged, kSecrets); ++i) {
        writes.push_back(
            {.name = NameOf("n" + std::to_string(i)),
             .keys = KeysOf({{"k", std::to_string(i)}}),
             .op_id = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i / 256)}});
      }
      const auto staged = a.client->Stage(std::move(writes), 512);
      REQUIRE(staged.ok());
      for (const auto& one : *staged) REQUIRE(one.ok());
    }
  }

  mirror::ApplyReport Copy(base::Executor& executor, const mirror::Progress& progress = {},
                           const mirror::GoOn& go_on = {}) {
    const auto all = std::bitset<store::kBuckets>().set();
    const auto source = a.client->ReadInventory(all);
    REQUIRE(source.ok());
    const mirror::SyncPlan plan =
        mirror::Plan(*source, {{"b", b.client->ReadInventory(all)}}, kEpoch, false);
    steps = plan.steps.size();
    const auto before_read = std::move(read);
    const auto before_write = std::move(write);
    a.channel->before = before_read;
    b.channel->before = before_write;
    auto report = mirror::Apply(plan, *a.client, {{"a", a.client.get()}, {"b", b.client.get()}},
                                {kEpoch, 1}, executor, progress, go_on);
    a.channel->before = nullptr;
    b.channel->before = nullptr;
    a.channel->lose_request = false;
    b.channel->lose_request = b.channel->lose_answer = false;
    return report;
  }
  bool Equal() { return a.client->Digest()->root == b.client->Digest()->root; }

  std::function<void()> read;   // before each batch is read from the source,
  std::function<void()> write;  // and before each is written
  std::size_t steps = 0;
};

// True when `holds` does within a time that nobody needs.
bool BecomesSo(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + seconds(20);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

// Where each batch for the mirror meets this, whoever has other things to do sends it one.
void CheckTakesOneBatch(Copying& copying, const std::function<void()>& fails) {
  base::SequentialExecutor executor;
  int asked = 0;
  copying.write = [&] {
    ++asked;
    fails();
  };
  const auto report = copying.Copy(executor, {}, [] { return false; });
  CHECK(asked == 1);
  CHECK(report.cut_short);
  CHECK(report.copied == 0);
}

}  // namespace

TEST_CASE("the next batch is read while this one is written, and no batch more") {
  Copying copying;
  std::atomic<int> reads{0};
  std::atomic<int> writes{0};
  bool overlaps = true;
  bool bounded = true;
  std::vector<std::uint64_t> told;
  copying.read = [&] { bounded = bounded && ++reads <= writes + 2; };
  copying.write = [&] {
    const int written = ++writes;
    overlaps = overlaps && (written == 3 || BecomesSo([&] { return reads > written; }));
  };
  base::ThreadExecutor executor;
  const auto report =
      copying.Copy(executor, [&](std::uint64_t done, std::uint64_t) { told.push_back(done); });
  CHECK(overlaps);
  CHECK(bounded);
  CHECK(report.copied == kSecrets);
  CHECK(report.failed.empty());
  CHECK(told == std::vector<std::uint64_t>{256, 512, kSecrets});
  CHECK(copying.Equal());
}

TEST_CASE("a batch that cannot be read is told, secret by secret, and the others are copied") {
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    for (const int broken : {1, 2, 3}) {
      Copying copying;
      base::SequentialExecutor executor(seed);
      int reads = 0;
      copying.read = [&] { copying.a.channel->lose_request = ++reads == broken; };
      const auto report = copying.Copy(executor);
      const std::size_t size = broken == 3 ? kSecrets - 512 : 256;
      CHECK(report.failed.size() == size);
      CHECK(report.copied == kSecrets - size);
      for (const mirror::StepError& failed : report.failed) {
        CHECK(failed.error.code() == ErrorCode::kUnavailable);
        CHECK(failed.error.message().starts_with("reading from the source: "));
        CHECK(failed.step.node == "b");
      }
      // What was not copied is what the next one copies.
      CHECK(copying.Copy(executor).copied == size);
      CHECK(copying.steps == size);
      CHECK(copying.Equal());
    }
  }
}

TEST_CASE("a batch whose answer is lost is not counted as copied, whether it was written or not") {
  for (const bool written : {true, false}) {
    for (const int broken : {1, 2, 3}) {
      Copying copying;
      base::SequentialExecutor executor(7);
      int writes = 0;
      copying.write = [&] {
        ++writes;
        copying.b.channel->lose_answer = written && writes == broken;
        copying.b.channel->lose_request = !written && writes == broken;
      };
      const auto report = copying.Copy(executor);
      const std::size_t size = broken == 3 ? kSecrets - 512 : 256;
      CHECK(report.failed.size() == size);
      CHECK(report.copied == kSecrets - size);
      for (const mirror::StepError& failed : report.failed)
        CHECK(failed.error.code() == ErrorCode::kUnavailable);
      CHECK(copying.Equal() == written);
      CHECK(copying.Copy(executor).copied == (written ? 0 : size));
      CHECK(copying.Equal());
    }
  }
}

TEST_CASE("who has other things to do copies a batch at least, and the rest another time") {
  Copying copying;
  base::SequentialExecutor executor;
  const mirror::GoOn not_longer = [] { return false; };
  for (const std::size_t size : {std::size_t{256}, std::size_t{256}, kSecrets - 512}) {
    const auto report = copying.Copy(executor, {}, not_longer);
    CHECK(report.copied == size);
    CHECK(report.failed.empty());
    CHECK(report.cut_short == (size == 256));
  }
  CHECK(copying.Equal());
}

TEST_CASE("one mirror that does not answer costs a share of time once, and not the others theirs") {
  Copying copying;
  CheckTakesOneBatch(copying, [&] { copying.b.channel->lose_request = true; });
}

TEST_CASE("a mirror that answers and takes nothing of a batch costs a share of time once") {
  Copying copying;
  CheckTakesOneBatch(copying, [&] { copying.b.memory.Unplug(); });
}

TEST_CASE("restores have a share of time as well, and who is silent leaves it to the others") {
  Copying copying;
  base::SequentialExecutor executor;
  const auto inventory = copying.a.client->ReadInventory(std::bitset<store::kBuckets>().set());
  REQUIRE(inventory.ok());
  const auto era = copying.c.client->Era();
  REQUIRE(era.ok());
  mirror::SyncPlan plan;
  for (const char* node : {"b", "b", "a", "a"}) {
    const store::InventoryItem& item = inventory->items[plan.steps.size()];
    plan.steps.push_back(
        {mirror::Step::Kind::kRestore, node, item.id, item.name, item.version, 1, *era, ""});
  }
  int asked = 0;
  copying.b.channel->before = [&] {
    ++asked;
    copying.b.channel->lose_request = true;
  };
  const auto report = mirror::Apply(plan, *copying.c.client,
                                    {{"a", copying.a.client.get()}, {"b", copying.b.client.get()}},
                                    {kEpoch, 1}, executor, {}, [] { return false; });
  CHECK(asked == 1);
  REQUIRE(report.failed.size() == 1);
  CHECK(report.failed[0].step.node == "b");
  CHECK(report.restored == 1);
  CHECK(report.cut_short);
}

TEST_CASE("a batch that is refused whole does not keep the ones after it from being copied") {
  Copying copying;
  base::SequentialExecutor executor;
  const std::size_t room = copying.b.memory.Labels().size();
  int writes = 0;
  copying.write = [&] { copying.b.memory.SetMaxObjects(++writes == 1 ? room : 100'000); };
  const auto report = copying.Copy(executor, {}, [] { return false; });
  CHECK(report.failed.size() == 256);
  CHECK(report.copied == 256);
  CHECK(report.cut_short);
}

}  // namespace hsmops::test
