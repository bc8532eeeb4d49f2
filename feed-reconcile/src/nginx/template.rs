//! The templates and the engine that renders them.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::token;

const MAIN: &str = "nginx.conf.j2";

/// A user's own main template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It does not parse, or uses something that is not there.
    #[error("the nginx template cannot be rendered: {0}")]
    Render(#[from] minijinja::Error),
    /// It lacks a part without which nothing would be served.
    #[error("the nginx template must contain {{{{ {0} }}}} exactly once")]
    Placeholder(&'static str),
    /// It holds a control character that stands for a placeholder in what is rendered.
    #[error("the nginx template holds a control character; only tabs and line ends are allowed")]
    ControlCharacter,
}

/// The compiled templates.
pub(super) struct Templates(Environment<'static>);

impl Templates {
    /// The templates as they are shipped, with the user's own main one if there is one.
    pub(super) fn new(main: Option<&str>) -> Result<Self, TemplateError> {
        // Without filters and functions nothing can be turned into text but by the formatter.
        let mut environment = Environment::empty();
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_formatter(token::format_value);
        for (name, source) in [
            ("access_log.conf.j2", include_str!("../../../templates/access_log.conf.j2")),
            ("tracing.conf.j2", include_str!("../../../templates/tracing.conf.j2")),
            ("body.conf.j2", include_str!("../../../templates/body.conf.j2")),
            ("server.conf.j2", include_str!("../../../templates/server.conf.j2")),
            ("settings.conf.j2", include_str!("../../../templates/settings.conf.j2")),
            ("special.conf.j2", include_str!("../../../templates/special.conf.j2")),
            ("upstream.conf.j2", include_str!("../../../templates/upstream.conf.j2")),
        ] {
            environment.add_template(name, source)?;
        }
        match main {
            None => environment.add_template(MAIN, include_str!("../../../templates/nginx.conf.j2"))?,
            Some(source) if source.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) => {
                return Err(TemplateError::ControlCharacter);
            }
            Some(source) => environment.add_template_owned(MAIN, source.to_owned())?,
        }
        Ok(Self(environment))
    }

    /// Everything outside of the servers and upstreams.
    pub(super) fn main(&self, context: Value) -> Result<String, TemplateError> {
        self.render(MAIN, context)
    }

    /// One `upstream{}`.
    pub(super) fn upstream(&self, context: Value) -> Result<String, TemplateError> {
        self.render("upstream.conf.j2", context)
    }

    /// One `server{}`, around its body.
    pub(super) fn server(&self, context: Value) -> Result<String, TemplateError> {
        self.render("server.conf.j2", context)
    }

    /// What is inside a `server{}`, but for its ports and names.
    pub(super) fn body(&self, context: Value) -> Result<String, TemplateError> {
        self.render("body.conf.j2", context)
    }

    fn render(&self, name: &str, context: Value) -> Result<String, TemplateError> {
        Ok(self.0.get_template(name)?.render(context)?)
    }
}
