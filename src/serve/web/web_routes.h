// Serves the chat page of web_files.h: GET / and its assets, under a policy that lets it load and reach nothing but
// this server. The files need no key: the page asks for it.
#pragma once
#include "serve/router.h"

namespace jevons {

void add_web_routes(Router& router);

}  // namespace jevons
