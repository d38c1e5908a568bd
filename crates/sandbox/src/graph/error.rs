//! Errors of Graph, in its envelope.

use serde_json::json;

use crate::{
    body::{self, Answer},
    tenant::ediscovery::Refused,
    world::World,
};

/// The ids that an error repeats.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ids {
    pub(crate) request: String,
    /// The client's own, or the request's again.
    pub(crate) client: String,
}

/// An answer with an error.
pub(crate) fn answer(world: &World, ids: &Ids, refused: &Refused) -> Answer {
    let date = world.clock.now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
    body::json(
        refused.status,
        &json!({"error": {
            "code": refused.code,
            "message": refused.text,
            "innerError": {
                "date": date,
                "request-id": ids.request,
                "client-request-id": ids.client,
            },
        }}),
    )
}

/// The 403 of a gateway before the service: a page, and no error of Graph.
pub(crate) fn html_forbidden() -> Answer {
    let page = "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n<hr><center>Microsoft-Azure-Application-Gateway/v2</center>\r\n</body>\r\n</html>\r\n";
    let mut answer = body::answer(403, "text/html", page);
    body::set(
        &mut answer,
        "server",
        "Microsoft-Azure-Application-Gateway/v2",
    );
    answer
}

/// The same page as a message in the envelope.
pub(crate) fn wrapped_forbidden() -> Refused {
    Refused::new(
        403,
        "UnknownError",
        "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n<hr><center>Microsoft-Azure-Application-Gateway/v2</center>\r\n</body>\r\n</html>\r\n",
    )
}

/// A failure that passes.
pub(crate) fn busy() -> Refused {
    Refused::new(
        500,
        "InternalServerError",
        "The server is too busy to process the request. Please try again later.",
    )
}

/// The token itself is no good.
pub(crate) fn bad_token(text: &str) -> Refused {
    Refused::new(401, "InvalidAuthenticationToken", text)
}
