#include "cli/commands/writing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/printer.h"
#include "cli/progress.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/manager/mirrored_secret.h"
#include "libhsmops/manager/reader.h"
#include "libhsmops/manager/write_settling.h"

namespace hsmops::cli {
namespace {

using base::ErrorCode;
using base::Result;
using nlohmann::json;

// Superseded versions are destroyed after the answer, and only for so long; the rest is for the
// next command.
constexpr base::Duration kAfterWriteBudget = std::chrono::milliseconds(200);

struct Written {
  std::string name;
  std::string op_id;
  std::vector<std::string> keys;
  bool removed = false;
  bool merged = false;  // so it has other keys, too, which nobody has read
};

json DocumentOf(const cluster::HSMDevice& device, const Written& written,
                const Result<mirror::Acknowledged>& result) {
  manager::SecretCoverage secret;
  secret.name = written.name;
  secret.keys = written.keys;
  if (result.ok()) secret.version = result->version;
  json document = manager::MirroredSecretOf(device, secret);
  document["status"].erase("coverage");
  if (written.merged) document["spec"].erase("keys");
  document["status"]["devices"] = json::array();
  document["status"]["opId"] = written.op_id;
  if (result.ok()) {
    for (const std::string& node : result->nodes)
      document["status"]["devices"].push_back(
          {{"nodeName", node}, {"state", "InSync"}, {"version", result->version.Full()}});
    document["status"]["deleted"] = written.removed;
  } else {
    document["status"]["reason"] = base::Name(result.error().code());
    document["status"]["message"] = base::Printable(result.error().message());
  }
  return document;
}

// Of one that this command surely did not do, whatever an earlier one with its --op-id did: the
// same command may be done a moment later, unless the error says what is to be done before.
bool MayPass(const base::Error& error) {
  return manager::Passing(error.code()) && error.message().find("kubectl hsm") == std::string::npos;
}

bool IsDone(const Result<mirror::Acknowledged>& result, Absent absent) {
  return result.ok() || (absent == Absent::kIsDone && result.Is(ErrorCode::kNotFound));
}

// The exit code of a whole batch.
int CodeOfAll(const std::vector<Result<mirror::Acknowledged>>& results, Absent absent) {
  std::size_t failed = 0;
  int code = kDone;
  bool in_doubt = false;
  for (const auto& result : results) {
    if (IsDone(result, absent)) continue;
    ++failed;
    in_doubt = in_doubt || result.Is(ErrorCode::kInDoubt);
    code = MayPass(result.error()) ? kFailed : ExitCodeFor(result.error().code());
  }
  if (failed == 0) return kDone;
  if (in_doubt) return kAccepted;
  return failed == results.size() ? code : kPartial;
}

// Mirrors of the sync set that did not confirm what the others did.
void WarnOfMissing(Context& context, const std::vector<std::string>& expected,
                   const std::vector<Result<mirror::Acknowledged>>& results) {
  for (const std::string& node : expected) {
    const auto missed = std::count_if(
        results.begin(), results.end(), [&](const Result<mirror::Acknowledged>& result) {
          return result.ok() && std::ranges::find(result->nodes, node) == result->nodes.end();
        });
    if (missed > 0)
      context.Warn(
          fmt::format("{} did not confirm {} of {} writes and lags; kubectl hsm sync says "
                      "why",
                      node, missed, results.size()));
  }
}

// The next failure of its only node would lose what a put has just been told is written.
void WarnOfLoneCopies(Context& context, const cluster::HSMDevice& device,
                      const std::vector<Result<mirror::Acknowledged>>& results) {
  const std::size_t members = device.MemberNodes().size();
  if (members < 2 || device.policy() == cluster::MirroringPolicy::kNone) return;
  std::string node;
  const auto alone = std::count_if(results.begin(), results.end(), [&](const auto& result) {
    if (!result.ok() || result->nodes.size() != 1) return false;
    node = result->nodes.front();
    return true;
  });
  if (alone > 0)
    context.Warn(
        fmt::format("only {} has confirmed {} of {} writes, and no mirror; kubectl hsm health says "
                    "why",
                    node, alone, results.size()));
}

void TellNext(Context& context, const cluster::HSMDevice& device, const base::Error& error) {
  if (!MayPass(error)) return;
  context.err() << fmt::format(
      "  this command did not write it; {} says whether that passes, and it can be run again\n",
      context.WithCluster("kubectl hsm health " + device.metadata.name));
}

}  // namespace

Result<void> SetWriteWords(Context& context, const std::string& expect, const std::string& op_id,
                           std::vector<store::Write>& writes) {
  if (!expect.empty()) {
    HSM_TRY(const store::Expectation expectation,
            store::Expectation::Parse(expect).Within("--expect"));
    writes.front().expect = expectation;
  }
  for (store::Write& write : writes) write.op_id = context.rng().Array<16>();
  if (!op_id.empty()) {
    HSM_TRY(writes.front().op_id, store::ParseOpId(op_id).Within("--op-id"));
  }
  return {};
}

Result<Desk> Desk::Open(Context& context, const std::string& verb) {
  Desk desk;
  HSM_TRY(desk.live_, OpenLive(context));
  if (!desk.live_) {
    HSM_TRY(desk.cluster_, context.OpenCluster(verb));
  }
  return desk;
}

Result<manager::Served> Desk::Read(const store::SecretName& name) {
  return live_ ? live_->Get(name) : manager::Read(cluster_->pool(), name);
}

void CollectGarbage(manager::Pool& pool) {
  std::vector<base::Executor::Task> tasks;
  for (const std::string& node : pool.nodes())
    tasks.push_back([&pool, &node] { (void)pool.At(node).Collect(kAfterWriteBudget); });
  pool.world().executor.RunAll(std::move(tasks));
}

int WriteAndPrint(Context& context, const std::string& verb, std::vector<store::Write> writes,
                  Absent absent) {
  auto desk = Desk::Open(context, verb);
  if (!desk.ok()) return context.Fail(desk.error());
  return WriteAndPrint(context, *desk, verb, std::move(writes), absent);
}

int WriteAndPrint(Context& context, Desk& desk, const std::string& verb,
                  std::vector<store::Write> writes, Absent absent) {
  manager::Pool* const pool = desk.pool();
  std::optional<manager::Writer> writer;
  if (pool != nullptr) {
    auto opened = manager::Writer::Open(*pool);
    if (!opened.ok()) return context.Fail(opened.error());
    writer = *std::move(opened);
    for (const std::string& warning : writer->warnings()) context.Warn(warning);
  }
  std::vector<Written> asked;
  for (const store::Write& write : writes) {
    Written one{write.name.text(), store::OpIdText(write.op_id), {}, write.remove, write.merge};
    for (const auto& [key, value] : write.keys) one.keys.push_back(key);
    asked.push_back(std::move(one));
  }
  std::vector<std::string> expected;
  if (pool != nullptr) expected = pool->SyncSetNodes();
  std::vector<Result<mirror::Acknowledged>> results;
  {
    ProgressBar bar(context, "writing");
    results = writer ? writer->Write(std::move(writes), bar.Callback())
                     : desk.live()->Put(std::move(writes), bar.Callback());
  }
  // A Primary that sends by itself answers when enough have confirmed: the others are not late.
  if (pool != nullptr && !pool->ReachesMirrors(pool->holder())) {
    WarnOfMissing(context, expected, results);
  } else {
    WarnOfLoneCopies(context, desk.device(), results);
  }
  std::vector<json> documents;
  for (std::size_t i = 0; i < results.size(); ++i)
    documents.push_back(DocumentOf(desk.device(), asked[i], results[i]));
  const json document = documents.size() == 1 ? documents[0] : ListOf(std::move(documents));
  const int printed = Print(context, document, [&](bool) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i].ok()) {
        if (IsDone(results[i], absent))
          context.out() << fmt::format(
              "{} is not there: it was deleted and collected before, or it never was\n",
              asked[i].name);
        continue;
      }
      context.out() << fmt::format(
          "{} {} version {} on {}{}\n", asked[i].name,
          asked[i].removed ? "deleted,"
          : verb == "put"  ? "written,"
                           : verb + ",",
          results[i]->version.ToString(), fmt::format("{}", fmt::join(results[i]->nodes, ", ")),
          results[i]->repeated ? " (already done: same operation id)" : "");
    }
  });
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (IsDone(results[i], absent)) continue;
    if (results[i].Is(ErrorCode::kInDoubt)) {
      context.err() << fmt::format(
          "in doubt: {}: {}\n  {}\n", asked[i].name, base::Printable(results[i].error().message()),
          asked.size() > 1 ? "the same command again settles it"
          : verb == "rename-key"
              ? context.WithCluster("kubectl hsm get shows the keys as they are")
              : fmt::format("the same command with --op-id {} settles it", asked[i].op_id));
    } else {
      (void)context.Fail(results[i].error().Within(asked[i].name));
      TellNext(context, desk.device(), results[i].error());
    }
  }
  context.out() << std::flush;
  if (pool != nullptr) CollectGarbage(*pool);  // agents do it by themselves
  return printed != kDone ? printed : CodeOfAll(results, absent);
}

}  // namespace hsmops::cli
