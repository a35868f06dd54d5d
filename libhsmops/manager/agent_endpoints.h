// AgentEndpoints: where the agents of a device are, as EndpointSlices with the label
// hsm.j5t.io/device say it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libhsmops/cluster/object.h"

namespace hsmops::manager {

// By node: "https://10.0.0.11:9443". Of several endpoints on one node one that is ready; the port
// named "agent", else the first. Pure.
std::map<std::string, std::string> EndpointsOf(const std::vector<cluster::Object>& slices,
                                               const std::string& device);

// The HSMDevice with these in spec.mirroring.endpoints, over those that it names itself. Where its
// targetNodes say who is a member, only theirs; where they do not, a member that its status knows
// is there as well. One that has no endpoint is there all the same, where nobody answers: that an
// endpoint vanished is no reason for a member to. Where slices could not be looked at
// either, not even a device whose spec names endpoints is taken to say it all. Its resourceVersion
// tells of the change.
enum class Slices { kSeen, kUnknown };
cluster::Object WithEndpoints(const cluster::Object& device,
                              const std::map<std::string, std::string>& endpoints, Slices slices);
// Whether this is such an endpoint where nobody answers.
bool IsNowhere(const std::string& endpoint);
// As one sentence: that none is known of this node, and who would say one.
std::string WhyNowhere(const std::string& device, const std::string& node);

}  // namespace hsmops::manager
