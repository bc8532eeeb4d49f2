//! From the desired state to nginx's configuration.
//!
//! The layout follows what nginx's reloads cost: one upstream for a service, port and settings; whatever
//! equals the default is said once, in `http{}`; hosts with the same routes share a `server{}`; a location is
//! never a regular expression. The text comes from the templates in `templates/`, and every value in it
//! from `token`, the one place that turns values into nginx's syntax.

mod capacity;
mod changes;
mod fold;
mod location;
mod main_context;
mod observed;
mod rendered;
mod renderer;
mod source_map;
mod template;
#[cfg(test)]
pub(crate) mod tests;
mod token;

pub use rendered::{Generation, Rendered, certificate_file, certificate_in};
pub use renderer::{Renderer, bootstrap};
pub use template::TemplateError;
