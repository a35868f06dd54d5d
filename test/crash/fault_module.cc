// A PKCS#11 module in front of a real one that fails, lies, hangs or dies as a plan tells it.
//
//   KHSM_FAULT_MODULE  the real module; SoftHSM's if unset
//   KHSM_FAULT_PLAN    the plan; if unset, the file $SOFTHSM2_CONF.faults, so that each token of a
//                      cluster can have a plan of its own; no such file: only forwards
//   KHSM_FAULT_INIT    the text that C_Initialize gives the real module as its reserved argument;
//   NSS's
//                      softokn does not start without one
//   KHSM_FAULT_TRACE   one line a call is appended here: pid, function, rv; never an argument
//
// The plan has one fault a line, `#` begins a comment:
//
//   call=K mode=MODE [function=C_X] [rv=0x30] [arg=N] [times=N] [attr=0x11]
//
// K counts from 1 over all processes that use the plan: in PLAN.count, which a restarted child goes
// on counting in. With function= it counts calls of that function only. The fault fires at the
// calls K to K + times - 1 (times=1 if not given; 0: for ever). Every firing is appended to
// PLAN.fired and synced before it takes effect. The plan is read again at every C_Initialize.
//
//   fail-before   returns rv (CKR_DEVICE_ERROR) without asking the real module
//   fail-after    asks it, then returns rv all the same
//   die-before, die-after   SIGKILL to this process
//   hang          sleeps until it is killed
//   full          C_CreateObject returns CKR_DEVICE_MEMORY, from the K-th on
//   page          C_FindObjects gives at most arg objects (half of what it was asked for) and more
//   follow stale         C_GetAttributeValue answers what it answered first for this handle and
//   attribute in
//                 this view; with function=C_FindObjects: the search answers as the last one with
//                 the same template did
//   truncate      the value lacks its last arg (1) bytes; the length says so
//   flip          bit arg (0) of the value is the other way round
//   empty         the value has 0 bytes
//   grow          the value has grown since the caller asked how long it is: a question for the
//   length
//                 is answered arg (1) bytes short, a read says CKR_BUFFER_TOO_SMALL
//
// truncate, flip, empty and stale count only reads that have room for an answer; full, page and
// grow only calls of their function. They change CKA_VALUE if the read asks for it, else its first
// attribute, or the one that attr= names. PLAN.fired says `effect=none` where there was nothing to
// change.
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "test/crash/pkcs11_functions.h"

namespace {

using hsmops::test::CallCounts;
using hsmops::test::Function;
using hsmops::test::kFunctionNames;

enum class Mode {
  kFailBefore,
  kFailAfter,
  kDieBefore,
  kDieAfter,
  kHang,
  kFull,
  kPage,
  kStale,
  kTruncate,
  kFlip,
  kEmpty,
  kGrow,
};
constexpr const char* kModeNames[] = {"fail-before", "fail-after", "die-before", "die-after",
                                      "hang",        "full",       "page",       "stale",
                                      "truncate",    "flip",       "empty",      "grow"};

struct Fault {
  std::uint64_t call = 0;
  Mode mode = Mode::kFailBefore;
  std::optional<Function> function;
  CK_RV rv = CKR_DEVICE_ERROR;
  std::optional<std::uint64_t> arg;
  std::uint64_t times = 1;
  std::optional<CK_ATTRIBUTE_TYPE> attribute;

  bool Covers(std::uint64_t count) const {
    return count >= call && (times == 0 || count - call < times);
  }
};

[[noreturn]] void Broken(const std::string& what) {
  std::fprintf(stderr, "khsm_fault: %s\n", what.c_str());
  std::abort();
}

std::string Env(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

void AppendLine(const std::string& path, const std::string& line, bool sync) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      (sync && fsync(fd) != 0)) {
    Broken("cannot append to " + path);
  }
  close(fd);
}

std::uint64_t Number(const std::string& text) {
  char* end = nullptr;
  const std::uint64_t number = std::strtoull(text.c_str(), &end, 0);
  if (text.empty() || *end != '\0') Broken("not a number in the plan: " + text);
  return number;
}

template <typename Names>
std::size_t IndexOf(const Names& names, const std::string& name) {
  const auto found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names)) Broken("unknown word in the plan: " + name);
  return static_cast<std::size_t>(found - std::begin(names));
}

Fault ParseFault(const std::string& line) {
  Fault fault;
  bool times_given = false;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const std::size_t at = word.find('=');
    if (at == std::string::npos) Broken("not name=value in the plan: " + word);
    const std::string name = word.substr(0, at);
    const std::string value = word.substr(at + 1);
    if (name == "call")
      fault.call = Number(value);
    else if (name == "mode")
      fault.mode = static_cast<Mode>(IndexOf(kModeNames, value));
    else if (name == "function")
      fault.function = static_cast<Function>(IndexOf(kFunctionNames, value));
    else if (name == "rv")
      fault.rv = Number(value);
    else if (name == "arg")
      fault.arg = Number(value);
    else if (name == "times")
      fault.times = Number(value), times_given = true;
    else if (name == "attr")
      fault.attribute = Number(value);
    else
      Broken("unknown word in the plan: " + name);
  }
  if (fault.call == 0) Broken("a fault without call=K, K from 1: " + line);
  switch (fault.mode) {
    case Mode::kFull:
      fault.function = Function::C_CreateObject;
      fault.rv = CKR_DEVICE_MEMORY;
      if (!times_given) fault.times = 0;
      break;
    case Mode::kPage:
      fault.function = Function::C_FindObjects;
      break;
    case Mode::kStale:
      if (!fault.function) fault.function = Function::C_GetAttributeValue;
      break;
    case Mode::kTruncate:
    case Mode::kFlip:
    case Mode::kEmpty:
    case Mode::kGrow:
      fault.function = Function::C_GetAttributeValue;
      break;
    default:
      break;
  }
  return fault;
}

// What has been read and listed in this view, for the stale answers.
struct View {
  struct Search {
    std::string key;                        // the template's bytes
    std::vector<CK_OBJECT_HANDLE> found;    // so far
    std::optional<std::size_t> stale_from;  // answers come from last_listing[key], from here on
  };
  std::map<std::pair<CK_OBJECT_HANDLE, CK_ATTRIBUTE_TYPE>, std::string> first_values;
  std::map<std::string, std::vector<CK_OBJECT_HANDLE>> last_listing;
  std::map<CK_SESSION_HANDLE, Search> searches;
};

// Which call this is, of any function and of its own.
struct Nth {
  std::uint64_t total;
  std::uint64_t own;
};

class Injector {
 public:
  CK_FUNCTION_LIST* real = nullptr;

  void LoadReal() {
    std::string path = Env("KHSM_FAULT_MODULE");
    if (path.empty()) path = "/usr/lib/softhsm/libsofthsm2.so";
    if (path == loaded_) return;
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) Broken(dlerror());
    const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(handle, "C_GetFunctionList"));
    if (get == nullptr || get(&real) != CKR_OK) Broken(path + " is no PKCS#11 module");
    loaded_ = path;
  }

  void LoadPlan() {
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
    for (std::string line; std::getline(file, line);) {
      line = line.substr(0, line.find('#'));
      if (line.find_first_not_of(" \t\r") != std::string::npos) faults_.push_back(ParseFault(line));
    }
    MapCounts();
  }

  template <typename Call>
  CK_RV Intercept(Function function, Call call) {
    const Nth nth{++counts_->total, ++counts_->by_function[static_cast<std::size_t>(function)]};
    const Fault* const fault = Find(function, nth);
    const CK_RV rv = fault == nullptr ? call(nth) : Inject(*fault, function, nth, call);
    if (!trace_.empty()) {
      char line[96];
      std::snprintf(line, sizeof line, "%d %s 0x%lx\n", getpid(), Name(function), rv);
      AppendLine(trace_, line, false);
    }
    return rv;
  }

  CK_RV GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
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

  CK_RV FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE* attributes, CK_ULONG count) {
    return Intercept(Function::C_FindObjectsInit, [&](Nth) {
      const CK_RV rv = real->C_FindObjectsInit(session, attributes, count);
      if (rv == CKR_OK) {
        View::Search search;
        for (CK_ULONG i = 0; i < count; ++i) {
          search.key.append(reinterpret_cast<const char*>(&attributes[i].type),
                            sizeof attributes[i].type);
          search.key.append(static_cast<const char*>(attributes[i].pValue),
                            attributes[i].ulValueLen);
        }
        const std::lock_guard lock(mutex_);
        view_.searches[session] = std::move(search);
      }
      return rv;
    });
  }

  CK_RV FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE* objects, CK_ULONG max,
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

  CK_RV FindObjectsFinal(CK_SESSION_HANDLE session) {
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

 private:
  static const char* Name(Function function) {
    return kFunctionNames[static_cast<std::size_t>(function)];
  }

  static bool IsLie(Mode mode) { return mode >= Mode::kPage; }

  void MapCounts() {
    const std::string path = plan_ + ".count";
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(CallCounts)) != 0) Broken("cannot open " + path);
    void* const memory =
        mmap(nullptr, sizeof(CallCounts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) Broken("cannot map " + path);
    // An earlier mapping stays: another thread may be counting in it, and a test has few of them.
    counts_ = static_cast<CallCounts*>(memory);
  }

  const Fault* Find(Function function, Nth nth) const {
    for (const Fault& fault : faults_) {
      if (IsLie(fault.mode)) continue;
      const bool hit = fault.function ? *fault.function == function && fault.Covers(nth.own)
                                      : fault.Covers(nth.total);
      if (hit) return &fault;
    }
    return nullptr;
  }

  const Fault* FindMode(std::uint64_t nth, std::initializer_list<Mode> modes,
                        Function function) const {
    for (const Fault& fault : faults_) {
      const bool is_one = std::find(modes.begin(), modes.end(), fault.mode) != modes.end();
      if (is_one && fault.function == function && fault.Covers(nth)) return &fault;
    }
    return nullptr;
  }

  const Fault* FindLie(std::uint64_t nth, std::uint64_t nth_read) const {
    if (const Fault* grow = FindMode(nth, {Mode::kGrow}, Function::C_GetAttributeValue))
      return grow;
    if (nth_read == 0) return nullptr;
    return FindMode(nth_read, {Mode::kTruncate, Mode::kFlip, Mode::kEmpty, Mode::kStale},
                    Function::C_GetAttributeValue);
  }

  void Record(const Fault& fault, Function function, std::uint64_t total, bool effect) const {
    AppendLine(plan_ + ".fired",
               "fired call=" + std::to_string(total) + " function=" + Name(function) +
                   " mode=" + kModeNames[static_cast<std::size_t>(fault.mode)] +
                   (effect ? "\n" : " effect=none\n"),
               true);
  }

  template <typename Call>
  CK_RV Inject(const Fault& fault, Function function, Nth nth, Call call) const {
    Record(fault, function, nth.total, true);
    switch (fault.mode) {
      case Mode::kFailAfter:
        (void)call(nth);
        return fault.rv;  // took effect, and nobody is told
      case Mode::kDieAfter:
        (void)call(nth);
        Die();
      case Mode::kDieBefore:
        Die();
      case Mode::kHang:
        for (;;) pause();
      default:
        return fault.rv;
    }
  }

  [[noreturn]] static void Die() {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }

  static CK_ATTRIBUTE* Target(const Fault& fault, CK_ATTRIBUTE* attributes, CK_ULONG count) {
    CK_ATTRIBUTE* const end = attributes + count;
    const CK_ATTRIBUTE_TYPE wanted = fault.attribute.value_or(CKA_VALUE);
    CK_ATTRIBUTE* const found =
        std::find_if(attributes, end, [&](const CK_ATTRIBUTE& a) { return a.type == wanted; });
    if (found != end) return found;
    return fault.attribute || count == 0 ? nullptr : attributes;
  }

  void Remember(CK_OBJECT_HANDLE object, const CK_ATTRIBUTE* attributes, CK_ULONG count) {
    const std::lock_guard lock(mutex_);
    for (const CK_ATTRIBUTE* a = attributes; a != attributes + count; ++a) {
      if (a->pValue == nullptr || a->ulValueLen == CK_UNAVAILABLE_INFORMATION) continue;
      view_.first_values.try_emplace({object, a->type}, static_cast<const char*>(a->pValue),
                                     a->ulValueLen);
    }
  }

  // Changes an answer. `room` is what the caller's buffer held before the call.
  bool Lie(const Fault& fault, CK_OBJECT_HANDLE object, CK_ULONG room, CK_ATTRIBUTE& answer) {
    auto* const bytes = static_cast<unsigned char*>(answer.pValue);
    const CK_ULONG size = answer.ulValueLen;
    if (fault.mode == Mode::kGrow) {
      if (bytes == nullptr)
        answer.ulValueLen -= std::min<CK_ULONG>(size, fault.arg.value_or(1));
      else
        answer.ulValueLen = CK_UNAVAILABLE_INFORMATION;
      return bytes != nullptr || size > 0;
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

  std::mutex mutex_;
  std::string loaded_;
  std::string plan_;
  std::string trace_;
  std::vector<Fault> faults_;
  View view_;
  CallCounts own_counts_{};
  CallCounts* counts_ = &own_counts_;
};

Injector& TheInjector() {
  static auto* const injector = new Injector;  // outlives every other destructor of the process
  return *injector;
}

CK_RV GetFunctionList(CK_FUNCTION_LIST** list);

CK_RV Initialize(CK_FUNCTION_LIST& real, void* given) {
  std::string parameters = Env("KHSM_FAULT_INIT");
  if (parameters.empty()) return real.C_Initialize(given);
  // NSS reads the text where the standard has pReserved, and one pointer more behind it.
  struct {
    CK_C_INITIALIZE_ARGS standard;
    void* behind;
  } args{};
  if (given != nullptr) args.standard = *static_cast<CK_C_INITIALIZE_ARGS*>(given);
  args.standard.pReserved = parameters.data();
  return real.C_Initialize(&args);
}

// Forwards the call of one function, through the injector.
template <Function kWhich, auto kMember, typename Pointer>
struct Forward;
template <Function kWhich, auto kMember, typename... Args>
struct Forward<kWhich, kMember, CK_RV (*)(Args...)> {
  static CK_RV Call(Args... args) {
    Injector& injector = TheInjector();
    if constexpr (kWhich == Function::C_GetFunctionList) {
      return GetFunctionList(args...);
    } else if constexpr (kWhich == Function::C_GetAttributeValue) {
      return injector.GetAttributeValue(args...);
    } else if constexpr (kWhich == Function::C_FindObjectsInit) {
      return injector.FindObjectsInit(args...);
    } else if constexpr (kWhich == Function::C_FindObjects) {
      return injector.FindObjects(args...);
    } else if constexpr (kWhich == Function::C_FindObjectsFinal) {
      return injector.FindObjectsFinal(args...);
    } else if constexpr (kWhich == Function::C_Initialize) {
      injector.LoadReal();
      injector.LoadPlan();
      return injector.Intercept(kWhich, [&](Nth) { return Initialize(*injector.real, args...); });
    } else {
      return injector.Intercept(kWhich, [&](Nth) { return (injector.real->*kMember)(args...); });
    }
  }
};

CK_RV GetFunctionList(CK_FUNCTION_LIST** list) {
  if (list == nullptr) return CKR_ARGUMENTS_BAD;
  TheInjector().LoadReal();
  static CK_FUNCTION_LIST functions = [] {
    CK_FUNCTION_LIST ours{};
    ours.version = TheInjector().real->version;
#define KHSM_FORWARD(name) \
  ours.name =              \
      &Forward<Function::name, &CK_FUNCTION_LIST::name, decltype(CK_FUNCTION_LIST::name)>::Call;
    KHSM_PKCS11_FUNCTIONS(KHSM_FORWARD)
#undef KHSM_FORWARD
    return ours;
  }();
  *list = &functions;
  return CKR_OK;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  return GetFunctionList(list);
}
