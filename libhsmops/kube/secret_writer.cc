#include "libhsmops/kube/secret_writer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/kube/api_status.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/kube/kube_resource_store.h"
#include "libhsmops/kube/secret_data.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

namespace {

json MetadataOf(const SecretContent& content) {
  const cluster::OwnerReference& owner = content.owner;
  return {{"name", content.name},
          {"namespace", content.ns},
          {"labels", content.labels},
          {"annotations", content.annotations},
          {"ownerReferences", json::array({{{"apiVersion", owner.api_version},
                                            {"kind", owner.kind},
                                            {"name", owner.name},
                                            {"uid", owner.uid},
                                            {"controller", owner.controller},
                                            {"blockOwnerDeletion", owner.block_owner_deletion}}})}};
}

// What others say of a request with values may quote them, so of their text only the reason is
// kept.
Error Refused(const RestAnswer& answer, const ApiVerb& asked) {
  const json status = ParseBody(answer.body);
  const std::string reason = TextAt(status, "reason");
  const bool plain = reason.size() < 64 && base::Printable(reason) == reason;
  std::string message =
      fmt::format("the API server answered {} {} to {} secrets {}/{}", answer.status,
                  plain ? reason : "", asked.verb, asked.ns, asked.name);
  if (answer.status == 403)
    message += fmt::format("; kubectl auth can-i {} secrets -n {} shows it", asked.verb, asked.ns);
  return {ErrorOf(answer, asked).code(), std::move(message)};
}

std::string Path(const std::string& ns, const std::string& name) {
  return PathOf(cluster::Kind::kSecret, ns, name);
}

}  // namespace

Result<std::string> SecretWriter::Send(const char* verb, const SecretContent& content,
                                       RestRequest request) {
  request.deadline = clock_.Now() + timeout_;
  // Nothing of the answer is wanted but its metadata: no value comes back.
  request.accept = AcceptFor(cluster::Kind::kSecret, false);
  HSM_TRY(const RestAnswer answer, client_.Call(std::move(request)));
  if (!IsSuccess(answer.status))
    return Refused(answer, {verb, "secrets", content.ns, content.name});
  const std::string version = TextIn(ParseBody(answer.body), "/metadata/resourceVersion");
  if (!version.empty()) return version;
  return Error(ErrorCode::kInDoubt, "the API server's answer is no Secret");
}

Result<std::string> SecretWriter::Create(const SecretContent& content) {
  const json document{{"apiVersion", "v1"},
                      {"kind", "Secret"},
                      {"metadata", MetadataOf(content)},
                      {"type", content.type}};
  RestRequest request;
  request.method = "POST";
  request.path = Path(content.ns, "");
  request.body = WithData(document, content.keys);
  return Send("create", content, std::move(request));
}

Result<std::string> SecretWriter::Replace(const SecretContent& content,
                                          const std::string& version) {
  json document{{"metadata", MetadataOf(content)}, {"type", content.type}};
  document["metadata"]["resourceVersion"] = version;
  RestRequest request;
  request.method = "PATCH";
  request.path = Path(content.ns, content.name);
  request.content_type = "application/strategic-merge-patch+json";
  request.body = WithData(document, content.keys, R"("$patch":"replace")");
  return Send("patch", content, std::move(request));
}

Result<void> SecretWriter::Remove(const std::string& ns, const std::string& name,
                                  const std::string& version) {
  RestRequest request;
  request.method = "DELETE";
  request.path = Path(ns, name);
  request.body = base::SecretBytes::FromText(json{
      {"apiVersion", "v1"},
      {"kind", "DeleteOptions"},
      {"preconditions",
       {{"resourceVersion", version}}}}.dump());
  request.deadline = clock_.Now() + timeout_;
  request.accept = AcceptFor(cluster::Kind::kSecret, false);
  HSM_TRY(const RestAnswer answer, client_.Call(std::move(request)));
  if (IsSuccess(answer.status)) return {};
  return Refused(answer, {"delete", "secrets", ns, name});
}

}  // namespace hsmops::kube
