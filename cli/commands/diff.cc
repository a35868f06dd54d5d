#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/manager/coverage.h"

namespace hsmops::cli {
namespace {

struct DiffWords {
  std::string left;
  std::string right;
};

bool IsSecret(const store::InventoryItem& item) {
  return item.state != store::InventoryItem::State::kTombstone;
}

int Run(const DiffWords& words, Context& context) {
  auto cluster = context.OpenLook("diff");
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  for (const std::string* node : {&words.left, &words.right}) {
    if (!pool.Has(*node))
      return context.Fail({base::ErrorCode::kNotFound,
                           fmt::format("node {} is not a member of device {}",
                                       base::Printable(*node), pool.device().metadata.name)});
  }
  const auto all = std::bitset<store::kBuckets>().set();
  const auto left = pool.At(words.left).ReadInventory(all).Within(words.left);
  if (!left.ok()) return context.Fail(left.error());
  const auto right = pool.At(words.right).ReadInventory(all).Within(words.right);
  if (!right.ok()) return context.Fail(right.error());
  const auto differences = manager::Differences(words.left, *left, words.right, *right);
  std::vector<nlohmann::json> items;
  for (const manager::Difference& d : differences) {
    nlohmann::json item{{"name", base::Printable(d.name)}, {"difference", d.what}};
    if (d.left) item[words.left] = d.left->Full();
    if (d.right) item[words.right] = d.right->Full();
    items.push_back(std::move(item));
  }
  const int printed = Print(context, ListOf(std::move(items)), [&](bool) {
    if (differences.empty()) {
      context.out() << fmt::format("{} and {} are equal: {} secrets\n", words.left, words.right,
                                   std::count_if(left->items.begin(), left->items.end(), IsSecret));
      return;
    }
    Table table({"NAME", words.left, words.right, "DIFFERENCE"});
    for (const manager::Difference& d : differences) {
      table.Row({d.name.empty() ? "(unreadable)" : d.name, d.left ? d.left->ToString() : "",
                 d.right ? d.right->ToString() : "", d.what});
    }
    table.Print(context.out(), false, !context.globals().no_headers);
  });
  return printed != kDone ? printed : differences.empty() ? kDone : kConditionNotMet;
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
