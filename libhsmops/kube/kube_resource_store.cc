#include "libhsmops/kube/kube_resource_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/encoding.h"
#include "libhsmops/cluster/object_rules.h"
#include "libhsmops/kube/api_object.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/kube/kube_watch.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using cluster::Kind;
using cluster::Object;
using cluster::ObjectKey;
using cluster::ObjectList;
using nlohmann::json;

namespace {

constexpr int kPageSize = 500;
constexpr std::chrono::milliseconds kShortestWait{100};  // of a 429 without Retry-After

SecretBytes BodyOf(const json& document) {
  return SecretBytes::FromText(document.dump(-1, ' ', false, json::error_handler_t::replace));
}

Result<json> Parsed(const SecretBytes& body) {
  json document = ParseBody(body);
  if (document.is_object()) return document;
  return Error(ErrorCode::kCorrupt, "the API server's answer is no JSON object");
}

bool MayBeThere(std::string_view ns, std::string_view name) {
  return cluster::CheckName(name).ok() && cluster::CheckNamespace(ns).ok();
}

ApiVerb Asked(const char* verb, Kind kind, std::string_view ns, std::string_view name) {
  return {verb, ResourceOf(kind), std::string(ns), std::string(name)};
}

}  // namespace

std::string PathOf(Kind kind, std::string_view ns, std::string_view name) {
  const std::string_view version = cluster::ApiVersion(kind);
  const bool core = version.find('/') == std::string_view::npos;
  std::string path = fmt::format("/{}/{}", core ? "api" : "apis", version);
  if (!ns.empty()) path += fmt::format("/namespaces/{}", ns);
  path += fmt::format("/{}", cluster::Plural(kind));
  if (!name.empty()) path += fmt::format("/{}", name);
  return path;
}

std::string AcceptFor(Kind kind, bool list) {
  if (kind != Kind::kSecret) return "application/json";
  return fmt::format("application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1",
                     list ? "List" : "");
}

std::string ResourceOf(Kind kind) {
  const std::string_view version = cluster::ApiVersion(kind);
  const std::size_t slash = version.find('/');
  if (slash == std::string_view::npos) return std::string(cluster::Plural(kind));
  return fmt::format("{}.{}", cluster::Plural(kind), version.substr(0, slash));
}

// 429 surely did nothing, so it is asked again however often there is time for it.
Result<RestAnswer> KubeResourceStore::Ask(const ApiVerb& asked, RestRequest request) {
  const base::TimePoint deadline = clock_.Now() + timeout_;
  for (;;) {
    RestRequest one;
    one.method = request.method;
    one.path = request.path;
    one.accept = request.accept;
    one.body = request.body.Clone();
    one.deadline = deadline;
    HSM_TRY(RestAnswer answer, client_->Call(std::move(one)));
    if (IsSuccess(answer.status)) return answer;
    const base::Duration wait = answer.retry_after.value_or(kShortestWait);
    if (answer.status != 429 || clock_.Now() + wait >= deadline) return ErrorOf(answer, asked);
    clock_.SleepFor(std::max<base::Duration>(wait, kShortestWait));
  }
}

Result<Object> KubeResourceStore::Get(Kind kind, std::string_view ns, std::string_view name) {
  if (!MayBeThere(ns, name))
    return cluster::NoSuchObject({kind, std::string(ns), std::string(name)});
  RestRequest request;
  request.path = PathOf(kind, ns, name);
  request.accept = AcceptFor(kind, false);
  HSM_TRY(const RestAnswer answer, Ask(Asked("get", kind, ns, name), std::move(request)));
  HSM_TRY(json document, Parsed(answer.body));
  return ObjectOf(kind, std::move(document));
}

Result<KubeResourceStore::Page> KubeResourceStore::ReadPage(Kind kind, std::string_view ns,
                                                            const std::string& next) {
  RestRequest request;
  request.path = fmt::format("{}?limit={}{}{}", PathOf(kind, ns), kPageSize,
                             next.empty() ? "" : "&continue=", base::PercentEncoded(next, "-._~"));
  request.accept = AcceptFor(kind, true);
  HSM_TRY(const RestAnswer answer, Ask(Asked("list", kind, ns, ""), std::move(request)));
  HSM_TRY(json document, Parsed(answer.body));
  Page page;
  const json& metadata = ObjectAt(document, "metadata");
  page.version = TextAt(metadata, "resourceVersion");
  page.next = TextAt(metadata, "continue");
  json& items = document["items"];
  // What is no list is not an empty one.
  if (page.version.empty() || !(items.is_array() || items.is_null())) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("the API server's answer is no list of {}", ResourceOf(kind)));
  }
  for (json& item : items) {
    HSM_TRY(Object object, ObjectOf(kind, std::move(item)));
    page.items.push_back(std::move(object));
  }
  return page;
}

Result<ObjectList> KubeResourceStore::List(Kind kind, std::string_view ns) {
  if (!ns.empty() && !cluster::CheckNamespace(ns).ok()) return ObjectList{};
  ObjectList list;
  std::string next;
  bool again = false;
  do {
    auto page = ReadPage(kind, ns, next);
    if (!page.ok()) {
      // The place in the list is forgotten, and nothing else: from the begin, once.
      const bool forgotten = !next.empty() && page.Is(ErrorCode::kUnavailable) && !again;
      if (!forgotten) return page.error();
      again = true;
      next.clear();
      list = {};
      page = ReadPage(kind, ns, next);
      if (!page.ok()) return page.error();
    }
    std::move(page->items.begin(), page->items.end(), std::back_inserter(list.items));
    list.version = page->version;
    next = page->next;
    if (list.items.size() > cluster::kMaxObjectsPerKind) {
      return Error(ErrorCode::kLimit,
                   fmt::format("there are more than {} of {}", cluster::kMaxObjectsPerKind,
                               cluster::Plural(kind)));
    }
  } while (!next.empty());
  std::ranges::sort(list.items, {}, [](const Object& object) {
    return std::tie(object.key().ns, object.key().name);
  });
  return list;
}

Result<Object> KubeResourceStore::Write(const ApiVerb& asked, std::string method, std::string path,
                                        const Object& object, std::string_view version) {
  if (object.key().kind == Kind::kSecret)
    return Error(ErrorCode::kInvalid,
                 "a Secret is written with its values, and not as its metadata");
  json document = object.document();
  json& metadata = document["metadata"];
  if (version.empty()) {
    metadata.erase("resourceVersion");
    metadata.erase("uid");
  } else {
    metadata["resourceVersion"] = version;
  }
  RestRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.body = BodyOf(document);
  HSM_TRY(const RestAnswer answer, Ask(asked, std::move(request)));
  auto stored = Parsed(answer.body);
  // It took effect, and what came of it is not known.
  if (!stored.ok()) return Error(ErrorCode::kInDoubt, stored.error().message());
  return ObjectOf(object.key().kind, *std::move(stored));
}

Result<Object> KubeResourceStore::Create(const Object& object) {
  const ObjectKey& key = object.key();
  return Write(Asked("create", key.kind, key.ns, ""), "POST", PathOf(key.kind, key.ns), object, "");
}

Result<Object> KubeResourceStore::Update(const Object& object, std::string_view expected) {
  const ObjectKey& key = object.key();
  HSM_RETURN_IF_ERROR(cluster::CheckUpdate(object, expected, false));
  return Write(Asked("update", key.kind, key.ns, key.name), "PUT",
               PathOf(key.kind, key.ns, key.name), object, expected);
}

Result<Object> KubeResourceStore::UpdateStatus(const Object& object, std::string_view expected) {
  const ObjectKey& key = object.key();
  HSM_RETURN_IF_ERROR(cluster::CheckUpdate(object, expected, true));
  ApiVerb asked = Asked("update", key.kind, key.ns, key.name);
  asked.resource += "/status";
  return Write(asked, "PUT", PathOf(key.kind, key.ns, key.name) + "/status", object, expected);
}

Result<void> KubeResourceStore::Delete(Kind kind, std::string_view ns, std::string_view name,
                                       std::optional<std::string_view> expected) {
  if (!MayBeThere(ns, name))
    return cluster::NoSuchObject({kind, std::string(ns), std::string(name)});
  json options{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (expected) options["preconditions"] = {{"resourceVersion", *expected}};
  RestRequest request;
  request.method = "DELETE";
  request.path = PathOf(kind, ns, name);
  request.body = BodyOf(options);
  HSM_TRY([[maybe_unused]] const RestAnswer answer,
          Ask(Asked("delete", kind, ns, name), std::move(request)));
  return {};
}

Result<std::unique_ptr<cluster::Watch>> KubeResourceStore::OpenWatch(Kind kind, std::string_view ns,
                                                                     std::string_view from) {
  return KubeWatch::Open(*this, kind, ns, from);
}

}  // namespace hsmops::kube
