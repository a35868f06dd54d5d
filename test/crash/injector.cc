#include "test/crash/injector.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace hsmops::test {
namespace {

const char* Name(Function function) { return kFunctionNames[static_cast<std::size_t>(function)]; }

void AppendLine(const std::string& path, const std::string& line, bool sync) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      (sync && fsync(fd) != 0)) {
    Broken("cannot append to " + path);
  }
  close(fd);
}

}  // namespace

std::string Env(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

void Injector::LoadReal() {
  std::string path = Env("KHSM_FAULT_MODULE");
  if (path.empty()) path = "/usr/lib/softhsm/libsofthsm2.so";
  if (path == loaded_) return;
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) Broken(dlerror());
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(handle, "C_GetFunctionList"));
  if (get == nullptr || get(&real) != CKR_OK) Broken(path + " is no PKCS#11 module");
  loaded_ = path;
}

void Injector::LoadPlan() {
  const std::lock_guard lock(mutex_);
  plan_ = Env("KHSM_FAULT_PLAN");
  if (plan_.empty() && !Env("SOFTHSM2_CONF").empty()) plan_ = Env("SOFTHSM2_CONF") + ".faults";
  trace_ = Env("KHSM_FAULT_TRACE");
  faults_.clear();
  view_ = {};
  std::ifstream file(plan_);
  if (plan_.empty() || !file) {
    plan_.clear();
    counts_ = &own_counts_;
    return;
  }
  faults_ = ParsePlan(file);
  MapCounts();
}

CK_RV Injector::GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                  CK_ATTRIBUTE* attributes, CK_ULONG count) {
  constexpr Function kThis = Function::C_GetAttributeValue;
  const bool is_read = std::any_of(attributes, attributes + count, [](const CK_ATTRIBUTE& a) {
    return a.pValue != nullptr && a.ulValueLen > 0;
  });
  const std::uint64_t nth_read = is_read ? ++counts_->value_reads : 0;
  return Intercept(kThis, [&](Nth nth) {
    const Fault* const fault = FindLie(nth.own, nth_read);
    CK_ATTRIBUTE* const target = fault == nullptr ? nullptr : Target(*fault, attributes, count);
    const CK_ULONG room = target == nullptr ? 0 : target->ulValueLen;
    const CK_RV rv = real->C_GetAttributeValue(session, object, attributes, count);
    if (rv == CKR_OK) Remember(object, attributes, count);
    if (fault == nullptr) return rv;
    const bool lied = rv == CKR_OK && target != nullptr && Lie(*fault, object, room, *target);
    Record(*fault, kThis, nth.total, lied);
    return lied && fault->mode == Mode::kGrow && target->pValue != nullptr
               ? CK_RV{CKR_BUFFER_TOO_SMALL}
               : rv;
  });
}

CK_RV Injector::FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE* attributes,
                                CK_ULONG count) {
  return Intercept(Function::C_FindObjectsInit, [&](Nth) {
    const CK_RV rv = real->C_FindObjectsInit(session, attributes, count);
    if (rv == CKR_OK) {
      View::Search search;
      for (CK_ULONG i = 0; i < count; ++i) {
        search.key.append(reinterpret_cast<const char*>(&attributes[i].type),
                          sizeof attributes[i].type);
        search.key.append(static_cast<const char*>(attributes[i].pValue), attributes[i].ulValueLen);
      }
      const std::lock_guard lock(mutex_);
      view_.searches[session] = std::move(search);
    }
    return rv;
  });
}

CK_RV Injector::FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE* objects, CK_ULONG max,
                            CK_ULONG* found) {
  constexpr Function kThis = Function::C_FindObjects;
  return Intercept(kThis, [&](Nth nth) {
    const Fault* const fault = FindMode(nth.own, {Mode::kPage, Mode::kStale}, kThis);
    CK_ULONG ask = max;
    if (fault != nullptr && fault->mode == Mode::kPage) {
      ask = std::clamp<CK_ULONG>(fault->arg.value_or(max / 2), 1, max);
    }
    const CK_RV rv = real->C_FindObjects(session, objects, ask, found);
    if (rv != CKR_OK) {
      if (fault != nullptr) Record(*fault, kThis, nth.total, false);
      return rv;
    }
    const std::lock_guard lock(mutex_);
    View::Search& search = view_.searches[session];
    const std::size_t before = search.found.size();
    search.found.insert(search.found.end(), objects, objects + *found);
    if (fault != nullptr && fault->mode == Mode::kPage)
      Record(*fault, kThis, nth.total, *found == ask && ask < max);
    if (fault != nullptr && fault->mode == Mode::kStale) {
      const bool known = view_.last_listing.contains(search.key);
      if (known && !search.stale_from) search.stale_from = before;
      Record(*fault, kThis, nth.total, known);
    }
    if (search.stale_from) {
      const std::vector<CK_OBJECT_HANDLE>& old = view_.last_listing[search.key];
      const std::size_t from = std::min(*search.stale_from, old.size());
      const std::size_t count = std::min<std::size_t>(max, old.size() - from);
      std::copy_n(old.begin() + static_cast<std::ptrdiff_t>(from), count, objects);
      *found = count;
      search.stale_from = from + count;
    }
    return rv;
  });
}

CK_RV Injector::FindObjectsFinal(CK_SESSION_HANDLE session) {
  return Intercept(Function::C_FindObjectsFinal, [&](Nth) {
    {
      const std::lock_guard lock(mutex_);
      auto search = view_.searches.extract(session);
      if (!search.empty() && !search.mapped().stale_from) {
        view_.last_listing[search.mapped().key] = std::move(search.mapped().found);
      }
    }
    return real->C_FindObjectsFinal(session);
  });
}

void Injector::MapCounts() {
  const std::string path = plan_ + ".count";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, sizeof(CallCounts)) != 0) Broken("cannot open " + path);
  void* const memory = mmap(nullptr, sizeof(CallCounts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) Broken("cannot map " + path);
  // An earlier mapping stays: another thread may be counting in it, and a test has few of them.
  counts_ = static_cast<CallCounts*>(memory);
}

const Fault* Injector::Find(Function function, Nth nth) const {
  for (const Fault& fault : faults_) {
    if (IsLie(fault.mode)) continue;
    const bool hit = fault.function ? *fault.function == function && fault.Covers(nth.own)
                                    : fault.Covers(nth.total);
    if (hit) return &fault;
  }
  return nullptr;
}

const Fault* Injector::FindMode(std::uint64_t nth, std::initializer_list<Mode> modes,
                                Function function) const {
  for (const Fault& fault : faults_) {
    const bool is_one = std::find(modes.begin(), modes.end(), fault.mode) != modes.end();
    if (is_one && fault.function == function && fault.Covers(nth)) return &fault;
  }
  return nullptr;
}

const Fault* Injector::FindLie(std::uint64_t nth, std::uint64_t nth_read) const {
  if (const Fault* length =
          FindMode(nth, {Mode::kGrow, Mode::kShrink}, Function::C_GetAttributeValue))
    return length;
  if (nth_read == 0) return nullptr;
  return FindMode(nth_read, {Mode::kTruncate, Mode::kFlip, Mode::kEmpty, Mode::kStale},
                  Function::C_GetAttributeValue);
}

void Injector::Record(const Fault& fault, Function function, std::uint64_t total,
                      bool effect) const {
  AppendLine(plan_ + ".fired",
             "fired call=" + std::to_string(total) + " function=" + Name(function) +
                 " mode=" + kModeNames[static_cast<std::size_t>(fault.mode)] +
                 (effect ? "\n" : " effect=none\n"),
             true);
}

void Injector::Die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

void Injector::FillDisk(std::uint64_t leave) {
  const std::string path = Env("KHSM_FAULT_FILL");
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct statvfs disk{};
  if (fd < 0 || fstatvfs(fd, &disk) != 0) Broken("cannot fill " + path);
  const std::uint64_t room = disk.f_bavail * disk.f_frsize;
  const std::string filler(room > leave ? room - leave : 0, 'x');
  (void)!write(fd, filler.data(), filler.size());  // as much as there is
  close(fd);
}

CK_ATTRIBUTE* Injector::Target(const Fault& fault, CK_ATTRIBUTE* attributes, CK_ULONG count) {
  CK_ATTRIBUTE* const end = attributes + count;
  const CK_ATTRIBUTE_TYPE wanted = fault.attribute.value_or(CKA_VALUE);
  CK_ATTRIBUTE* const found =
      std::find_if(attributes, end, [&](const CK_ATTRIBUTE& a) { return a.type == wanted; });
  if (found != end) return found;
  return fault.attribute || count == 0 ? nullptr : attributes;
}

void Injector::Remember(CK_OBJECT_HANDLE object, const CK_ATTRIBUTE* attributes, CK_ULONG count) {
  const std::lock_guard lock(mutex_);
  for (const CK_ATTRIBUTE* a = attributes; a != attributes + count; ++a) {
    if (a->pValue == nullptr || a->ulValueLen == CK_UNAVAILABLE_INFORMATION) continue;
    view_.first_values.try_emplace({object, a->type}, static_cast<const char*>(a->pValue),
                                   a->ulValueLen);
  }
}

bool Injector::Lie(const Fault& fault, CK_OBJECT_HANDLE object, CK_ULONG room,
                   CK_ATTRIBUTE& answer) {
  auto* const bytes = static_cast<unsigned char*>(answer.pValue);
  const CK_ULONG size = answer.ulValueLen;
  if (fault.mode == Mode::kGrow) {
    if (bytes == nullptr)
      answer.ulValueLen -= std::min<CK_ULONG>(size, fault.arg.value_or(1));
    else
      answer.ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return bytes != nullptr || size > 0;
  }
  if (fault.mode == Mode::kShrink) {
    if (bytes == nullptr) answer.ulValueLen += fault.arg.value_or(1);
    return bytes == nullptr;
  }
  if (bytes == nullptr) return false;
  switch (fault.mode) {
    case Mode::kTruncate:
      answer.ulValueLen -= std::min<CK_ULONG>(size, fault.arg.value_or(1));
      return size > 0;
    case Mode::kEmpty:
      answer.ulValueLen = 0;
      return size > 0;
    case Mode::kFlip: {
      if (size == 0) return false;
      const std::uint64_t bit = fault.arg.value_or(0) % (size * 8);
      bytes[bit / 8] ^= static_cast<unsigned char>(1U << (bit % 8));
      return true;
    }
    case Mode::kStale: {
      const std::lock_guard lock(mutex_);
      const std::string& first = view_.first_values[{object, answer.type}];
      if (first.size() > room ||
          std::string(answer.pValue ? static_cast<char*>(answer.pValue) : "", size) == first) {
        return false;
      }
      std::memcpy(bytes, first.data(), first.size());
      answer.ulValueLen = first.size();
      return true;
    }
    default:
      return false;
  }
}

void Injector::Trace(Function function, CK_RV rv) const {
  char line[96];
  std::snprintf(line, sizeof line, "%d %s 0x%lx\n", getpid(), Name(function), rv);
  AppendLine(trace_, line, false);
}

}  // namespace hsmops::test
