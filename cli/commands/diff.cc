#include <fmt/format.h>

#include <bitset>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/live_device.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/mirrored_secret.h"

namespace hsmops::cli {
namespace {

using base::Result;
using nlohmann::json;

struct DiffWords {
  std::string left;
  std::string right;
};

Result<json> CompareHere(const DiffWords& words, Context& context) {
  HSM_TRY(const auto cluster, context.OpenLook("diff"));
  manager::Pool& pool = cluster->pool();
  for (const std::string* node : {&words.left, &words.right}) {
    if (!pool.Has(*node)) return pool.device().NoSuchMember(*node);
  }
  const auto all = std::bitset<store::kBuckets>().set();
  HSM_TRY(const auto left, pool.At(words.left).ReadInventory(all).Within(words.left));
  HSM_TRY(const auto right, pool.At(words.right).ReadInventory(all).Within(words.right));
  return manager::DiffOf(words.left, left, words.right, right);
}

Result<json> CompareThere(const DiffWords& words, Context& context) {
  HSM_TRY(const auto live, OpenLive(context));
  const cluster::ObjectMeta& device = live->device().metadata;
  HSM_TRY(auto api, OpenAggregated(context, device.ns));
  return api.Diff(device.name, words.left, words.right);
}

std::string ShortVersion(const json& item, const std::string& node) {
  const std::string full = kube::TextAt(item, node.c_str());
  return full.substr(0, full.rfind('.'));
}

int Run(const DiffWords& words, Context& context) {
  const auto found =
      context.OnKubernetes() ? CompareThere(words, context) : CompareHere(words, context);
  if (!found.ok()) return context.Fail(found.error());
  const std::vector<json> items = kube::ItemsIn(*found, "/items");
  const int printed = Print(context, *found, [&](bool) {
    if (items.empty()) {
      context.out() << fmt::format("{} and {} are equal: {} secrets\n", words.left, words.right,
                                   kube::NumberAt(kube::ObjectAt(*found, "metadata"), "secrets"));
      return;
    }
    Table table({"NAME", words.left, words.right, "DIFFERENCE"});
    for (const json& item : items) {
      const std::string name = kube::TextIn(item, "/name");
      table.Row({name.empty() ? "(unreadable)" : name, ShortVersion(item, words.left),
                 ShortVersion(item, words.right), kube::TextIn(item, "/difference")});
    }
    table.Print(context.out(), false, !context.globals().no_headers);
  });
  return printed != kDone ? printed : items.empty() ? kDone : kConditionNotMet;
}

}  // namespace

Verb DiffVerb() {
  return {"diff",
          "Compare what two members hold; exit 3 when it differs",
          {},
          {"kubectl hsm diff worker-1 worker-2"},
          false,
          [](Words& words) -> Runner {
            auto options = std::make_shared<DiffWords>();
            words.Argument("NODE", "a member", options->left, true);
            words.Argument("OTHER", "another", options->right, true);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
