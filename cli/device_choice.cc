#include "cli/device_choice.h"

#include <fmt/format.h>

#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/label_selector.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cli {

using base::Error;
using base::ErrorCode;
using base::Result;
using cluster::HSMDevice;

namespace {

Result<Chosen> Named(Context& context, cluster::ResourceStore& resources,
                     const std::vector<std::string>& names) {
  Chosen chosen;
  for (const std::string& name : names) {
    HSM_RETURN_IF_ERROR(cluster::CheckName(name).Within("device"));
    HSM_TRY(HSMDevice device, cluster::Load<HSMDevice>(resources, context.ns(), name));
    chosen.devices.push_back(std::move(device));
  }
  return chosen;
}

}  // namespace

void DeviceChoice::Declare(Words& words) {
  words.Flag("A,all-namespaces", "the devices of every namespace", all_namespaces);
  words.Option("l,selector", "SELECTOR", "only devices whose labels match, as in app=payments",
               selector);
}

Result<Chosen> DeviceChoice::Choose(Context& context) const {
  std::vector<std::string> named = names;
  if (!context.globals().device.empty()) named.push_back(context.globals().device);
  if (!named.empty() && (all_namespaces || !selector.empty())) {
    return Error(ErrorCode::kInvalid,
                 "a device is named, so -A and -l have nothing to choose; give one or the other");
  }
  HSM_TRY(const auto wanted, cluster::LabelSelector::Parse(selector).Within("-l"));
  HSM_TRY(auto resources, context.OpenResources());
  if (!named.empty()) return Named(context, *resources, named);
  const std::string ns = all_namespaces ? "" : context.ns();
  if (!ns.empty()) HSM_RETURN_IF_ERROR(cluster::CheckNamespace(ns).Within("--namespace"));
  HSM_TRY(auto all, cluster::LoadAll<HSMDevice>(*resources, ns));
  if (all.items.empty() && !all.refused.empty()) return all.refused.front();
  for (const Error& refused : all.refused) context.Warn(base::Printable(refused.message()));
  const bool none = all.items.empty();
  std::erase_if(all.items, [&](const HSMDevice& d) { return !wanted.Matches(d.metadata.labels); });
  if (!all.items.empty()) return Chosen{std::move(all.items), std::move(all.refused)};
  const std::string where = ns.empty() ? "any namespace" : fmt::format("namespace {}", ns);
  if (none)
    return Error(ErrorCode::kNotFound,
                 fmt::format("no HSMDevice in {}; {}", where, context.HowToMakeOne()));
  return Error(ErrorCode::kNotFound,
               fmt::format("no HSMDevice in {} matches -l {}", where, base::Printable(selector)));
}

}  // namespace hsmops::cli
