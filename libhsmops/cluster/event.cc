#include "libhsmops/cluster/event.h"

#include "libhsmops/cluster/document.h"

namespace hsmops::cluster {
namespace {

constexpr Named<EventType> kTypeNames[] = {{EventType::kNormal, "Normal"},
                                           {EventType::kWarning, "Warning"}};

template <typename Fields>
void DescribeEvent(Fields& fields, Event& event) {
  fields("metadata", event.metadata);
  fields.Micro("eventTime", event.event_time);
  fields("series", event.series);
  fields("reportingController", event.reporting_controller);
  fields("reportingInstance", event.reporting_instance);
  fields("action", event.action);
  fields("reason", event.reason);
  fields("type", event.type);
  fields("regarding", event.regarding);
  fields("note", event.note);
}

}  // namespace

std::span<const Named<EventType>> NamesOf(EventType) { return kTypeNames; }

template <typename Fields>
void Describe(Fields& fields, EventSubject& subject) {
  fields("apiVersion", subject.api_version);
  fields("kind", subject.kind);
  fields("namespace", subject.ns);
  fields("name", subject.name);
  fields("uid", subject.uid);
}

template <typename Fields>
void Describe(Fields& fields, EventSeries& series) {
  fields("count", series.count);
  fields.Micro("lastObservedTime", series.last_observed_time);
}

base::Result<Event> Event::FromJson(const nlohmann::json& document) {
  HSM_RETURN_IF_ERROR(CheckKind(document, kKind));
  Problems problems;
  FieldReader fields(document, "", problems);
  Event event;
  DescribeEvent(fields, event);
  HSM_RETURN_IF_ERROR(problems.Finish());
  return event;
}

nlohmann::json Event::ToJson() const {
  FieldWriter fields;
  Event copy = *this;
  DescribeEvent(fields, copy);
  nlohmann::json document = std::move(fields).Take();
  document["apiVersion"] = ApiVersion(kKind);
  document["kind"] = Name(kKind);
  return document;
}

}  // namespace hsmops::cluster
