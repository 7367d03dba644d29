// Checks of the arguments that both back ends make; each throws Error{invalid} with the shapes.
#pragma once
#include "kernels/kernels.h"

namespace jevons {

void require(bool good, const char* what);  // throws Error(invalid, what)

void check_embed(const EmbedArgs& args);
void check_rms_norm(const RmsNormArgs& args);
void check_add(const AddArgs& args);
void check_rope(const RopeArgs& args);
void check_route(const RouteArgs& args);
void check_kv_store(const KvStoreArgs& args);
void check_attend(const AttendArgs& args);

}  // namespace jevons
