// The reference runner in C++17: it speaks docs/external-runner.md and runs toy networks (harness/runners/toynet.py).
// Build: g++ -std=c++17 -O2 -o runner reference.cpp. To make your own of it, replace ToyNet by your engine.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using Fields = std::map<std::string, std::string>;

// What goes back as an answer "error".
struct RunnerError : std::runtime_error {
    std::string where;
    RunnerError(const std::string& what, std::string place) : std::runtime_error(what), where(std::move(place)) {}
};

// A request: one flat JSON object, whose texts and numbers are all kept as text.
Fields parse_request(const std::string& line) {
    size_t at = 0;
    const auto next = [&] {
        at = std::min(line.find_first_not_of(" \t\r", at), line.size());
        return at < line.size() ? line[at] : '\0';
    };
    const auto expect = [&](char wanted) {
        if (next() != wanted) throw RunnerError("the line is no flat JSON object", "character " + std::to_string(at));
        ++at;
    };
    const auto text = [&] {
        std::string found;
        expect('"');
        for (; at < line.size() && line[at] != '"'; ++at) {
            if (line[at] == '\\') ++at;  // the harness escapes quotes and backslashes and nothing else
            if (at < line.size()) found += line[at];
        }
        expect('"');
        return found;
    };
    const auto word = [&] {
        const size_t begin = std::exchange(at, std::min(line.find_first_of(",}[{\"", at), line.size()));
        return line.substr(begin, at - begin);
    };
    Fields fields;
    expect('{');
    do {
        const std::string key = text();
        expect(':');
        fields[key] = next() == '"' ? text() : word();
    } while (next() == ',' && ++at);
    expect('}');
    if (at < line.size()) throw RunnerError("there is more than one object on the line", "request");
    return fields;
}

std::string quoted(const std::string& text) {
    std::string found = "\"";
    for (const char one : text)
        found += (one == '"' || one == '\\' ? "\\" : "") + std::string(1, static_cast<unsigned char>(one) < 0x20 ? '?' : one);
    return found + '"';
}

const std::string& text_of(const Fields& request, const std::string& key) {
    const auto found = request.find(key);
    if (found == request.end() || found->second.empty()) throw RunnerError("the request has no " + key, key);
    return found->second;
}

uint64_t whole_of(const Fields& request, const std::string& key) {
    const std::string& text = text_of(request, key);
    const bool whole = text.size() < 19 && text.find_first_not_of("0123456789") == std::string::npos;
    return whole ? std::stoull(text) : throw RunnerError(key + " is no whole number", key);
}

struct Tensor {
    std::string name, dtype;
    std::vector<uint64_t> shape;
    double scale = 0, zero_point = 0;
    bool quantised() const { return dtype == "int8"; }
    uint64_t size() const {
        uint64_t product = 1;
        for (const uint64_t one : shape) product *= one;
        return product;
    }
    uint64_t bytes() const { return size() * (quantised() ? 1 : sizeof(float)); }
    std::string json() const {
        std::string sizes;
        for (const uint64_t one : shape) sizes += (sizes.empty() ? "" : ",") + std::to_string(one);
        char steps[80] = "";
        if (quantised()) std::snprintf(steps, sizeof steps, ",\"scale\":%.17g,\"zero_point\":%.0f", scale, zero_point);
        return "{\"name\":" + quoted(name) + ",\"dtype\":" + quoted(dtype) + ",\"shape\":[" + sizes + "]" + steps + "}";
    }
};

class ToyNet {
public:
    Tensor input, output;

    explicit ToyNet(const std::string& path) : path_(path), file_(path) {
        expect("toy"), expect("1");
        input = tensor("input"), output = tensor("output");
        if (input.dtype != output.dtype) fail("has an input and an output of different dtypes");
        if (input.quantised()) expect("weight_scale"), weight_scale_ = number();
        expect("bias");
        bias_ = numbers(output.size());
        for (size_t at = 0; at < bias_.size(); ++at) expect("row"), rows_.push_back(numbers(count()));
        if (std::string more; file_ >> more) fail("has more than a toy network");
    }

    void run(const void* picture, void* answer) const {
        for (size_t at = 0; at < rows_.size(); ++at)
            if (input.quantised()) static_cast<int8_t*>(answer)[at] = rounded(sum(at, static_cast<const int8_t*>(picture)));
            else static_cast<float*>(answer)[at] = static_cast<float>(sum(at, static_cast<const float*>(picture)));
    }

private:
    std::string path_;
    std::ifstream file_;
    double weight_scale_ = 0;
    std::vector<double> bias_;
    std::vector<std::vector<double>> rows_;

    template <typename Value>
    double sum(size_t at, const Value* values) const {  // a row shorter than the picture is repeated
        const std::vector<double>& row = rows_[at];
        double total = bias_[at];
        for (uint64_t base = 0, size = input.size(); base < size; base += row.size())
            for (uint64_t one = 0, count = std::min<uint64_t>(row.size(), size - base); one < count; ++one)
                total += row[one] * (values[base + one] - input.zero_point);
        return total;
    }
    int8_t rounded(double sum) const {
        const double steps = std::nearbyint(sum * (input.scale * weight_scale_ / output.scale)) + output.zero_point;
        return static_cast<int8_t>(std::clamp(steps, -128.0, 127.0));
    }
    [[noreturn]] void fail(const std::string& fault) const { throw RunnerError("the file " + fault, path_); }
    std::string next() {
        std::string word;
        if (!(file_ >> word)) fail("cannot be read, or ends too early");
        return word.substr(0, 200);
    }
    void expect(const std::string& wanted) {
        const std::string found = next();
        if (found != wanted) fail("has " + found + " where " + wanted + " belongs");
    }
    double number() {
        const std::string word = next();
        char* end = nullptr;
        const double value = std::strtod(word.c_str(), &end);
        if (*end || !std::isfinite(value)) fail("has " + word + " where a number belongs");
        return value;
    }
    uint64_t count() {
        const double value = number();
        if (value < 1 || value > 1e9 || value != std::floor(value)) fail("has a size that is no whole number above 0");
        return static_cast<uint64_t>(value);
    }
    Tensor tensor(const std::string& kind) {
        expect(kind);
        Tensor found;
        found.name = next(), found.dtype = next();
        if (found.dtype != "float32" && found.dtype != "int8") fail("has the dtype " + found.dtype);
        for (uint64_t left = count(); left; --left) found.shape.push_back(count());
        if (found.quantised()) found.scale = number(), found.zero_point = number();
        if (found.quantised() && found.scale <= 0) fail("has a scale that is not above 0");
        return found;
    }
    std::vector<double> numbers(uint64_t count) {
        std::vector<double> found(count);
        for (double& one : found) one = number();
        return found;
    }
};

// One file of the exchange: mapped, or read into memory before a frame and written after it.
class Region {
public:
    Region(const Fields& request, const std::string& side, uint64_t bytes, bool mapped)
        : mapped_(mapped), bytes_(bytes), memory_(mapped ? 0 : bytes) {
        const std::string &path = text_of(request, side + "_path"), size = text_of(request, side + "_bytes");
        if (size != std::to_string(bytes))
            throw RunnerError("the model has " + std::to_string(bytes) + " bytes and not " + size, side + "_bytes");
        descriptor_ = open(path.c_str(), O_RDWR | O_CLOEXEC);
        if (descriptor_ < 0) throw RunnerError(std::string("the file cannot be opened: ") + std::strerror(errno), path);
        if (mapped) data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
        else data = memory_.data();
        if (data != MAP_FAILED) return;
        close(descriptor_);
        throw RunnerError(std::string("the file cannot be mapped: ") + std::strerror(errno), path);
    }
    ~Region() {
        if (mapped_) munmap(data, bytes_);
        close(descriptor_);
    }

    void* data = nullptr;
    void fetch() const { check(mapped_ ? bytes_ : pread(descriptor_, data, bytes_, 0)); }
    uint64_t store() const { return check(mapped_ ? bytes_ : pwrite(descriptor_, data, bytes_, 0)); }

private:
    bool mapped_;
    uint64_t bytes_;
    std::vector<char> memory_;
    int descriptor_ = -1;

    uint64_t check(uint64_t done) const {
        return done == bytes_ ? done : throw RunnerError("the file cannot be read or written", "exchange");
    }
};

class Runner {
public:
    std::string answer(const Fields& request) {
        const std::string& op = text_of(request, "op");
        if (op == "hello") return hello(request);
        if (op == "load") return load(request);
        if (op == "exchange") return exchange(request);
        if (op == "ping") return R"({"op":"pong"})";
        if (op == "infer") return infer(request);
        if (op == "stats")
            return R"({"op":"stats","values":[{"name":"frames","unit":"frames","value":)" + std::to_string(frames_) + "}]}";
        if (op == "bye") return R"({"op":"bye"})";
        throw RunnerError("no request is called " + op.substr(0, 40), "op");
    }

private:
    std::unique_ptr<ToyNet> net_;
    std::unique_ptr<Region> input_, output_;
    uint64_t frames_ = 0;

    static std::string hello(const Fields& request) {
        if (whole_of(request, "protocol") < 1) throw RunnerError("that version of the protocol is too old", "protocol");
        return R"({"op":"hello","protocol":1,"name":"reference-cpp","engine":"toy","version":"1",)"
               R"("formats":["toy"],"exchanges":["shared_memory","files"]})";
    }
    std::string load(const Fields& request) {
        net_ = std::make_unique<ToyNet>(text_of(request, "path"));
        input_.reset(), output_.reset();
        const std::string dtype = quoted(net_->input.dtype);
        return R"({"op":"loaded","inputs":[)" + net_->input.json() + R"(],"outputs":[)" + net_->output.json() +
               R"(],"facts":{"precision":)" + dtype + R"(,"threads":1,"placement":{"cpu":1},"promised":"cpu",)" +
               R"("partitions":1,"layer_precisions":{)" + dtype + ":1}}}";
    }
    std::string exchange(const Fields& request) {
        if (!net_) throw RunnerError("no model is loaded", "exchange");
        const std::string& kind = text_of(request, "kind");
        if (kind != "shared_memory" && kind != "files") throw RunnerError("no exchange is called " + kind, "kind");
        auto input = std::make_unique<Region>(request, "input", net_->input.bytes(), kind == "shared_memory");
        output_ = std::make_unique<Region>(request, "output", net_->output.bytes(), kind == "shared_memory");
        input_ = std::move(input);
        return R"({"op":"ready"})";
    }
    std::string infer(const Fields& request) {
        const uint64_t frame = whole_of(request, "frame");
        if (!input_) throw RunnerError("no exchange is open", "infer");
        const auto start = std::chrono::steady_clock::now();
        input_->fetch();
        net_->run(input_->data, output_->data);
        const uint64_t written = output_->store();
        const std::chrono::nanoseconds spent = std::chrono::steady_clock::now() - start;
        ++frames_;
        return R"({"op":"done","frame":)" + std::to_string(frame) + R"(,"bytes":)" + std::to_string(written) +
               R"(,"infer_ns":)" + std::to_string(spent.count()) + "}";
    }
};

std::string refusal(const std::string& what, const std::string& where) {
    return R"({"op":"error","what":)" + quoted(what) + R"(,"where":)" + quoted(where) +
           R"(,"remedy":"see docs/external-runner.md"})";
}

int main() {
    Runner runner;
    std::string line;
    while (std::getline(std::cin, line) && !std::cin.eof()) {  // a last line without its end is not whole
        std::string answer;
        try {
            answer = runner.answer(parse_request(line));
        } catch (const std::exception& error) {  // std::bad_alloc for sizes that no machine has
            const auto* own = dynamic_cast<const RunnerError*>(&error);
            answer = refusal(error.what(), own ? own->where : "memory");
        }
        std::cout << answer << "\n" << std::flush;
        if (answer == R"({"op":"bye"})") return 0;
    }
    return 0;
}
