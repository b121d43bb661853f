use std::rc::Rc;

use super::{FunctionContext, LiteralPlace};
use crate::{
    syntax::{
        Span,
        ast::{Block, Call, Expression, ExpressionKind, Signature, Statement, StatementKind},
    },
    types::{Type, VariableId},
};

/// What is done with a function without a name.
#[derive(Clone, Copy, Debug)]
pub enum LiteralRole<'p, 't> {
    /// `go func() { … }()`
    Go,
    /// `defer func() { … }()`
    Deferred,
    /// `func() { … }()`
    Called,
    /// It is an argument of this call.
    Argument(&'p Call<'t>),
    /// It is kept: in a variable, a field, a result.
    Kept,
}

/// Every function without a name in a body, the outer before the inner.
pub(super) fn collect<'p, 't>(
    body: &'p Block<'t>,
    outer: Option<&Rc<LiteralPlace<'p, 't>>>,
    found: &mut Vec<Rc<LiteralPlace<'p, 't>>>,
) {
    body.walk(&mut |statement| {
        statement.for_each_expression(&mut |expression| {
            let role = match &statement.kind {
                StatementKind::Go(_) => LiteralRole::Go,
                StatementKind::Defer(_) => LiteralRole::Deferred,
                _ => LiteralRole::Called,
            };
            look(expression, LiteralRole::Kept, role, outer, found);
        });
    });
}

fn look<'p, 't>(
    expression: &'p Expression<'t>,
    role: LiteralRole<'p, 't>,
    called: LiteralRole<'p, 't>,
    outer: Option<&Rc<LiteralPlace<'p, 't>>>,
    found: &mut Vec<Rc<LiteralPlace<'p, 't>>>,
) {
    match &expression.kind {
        ExpressionKind::Function(literal) => {
            let outer = outer.map(Rc::clone);
            let place = Rc::new(LiteralPlace { span: expression.span, literal, role, outer });
            found.push(Rc::clone(&place));
            collect(&literal.body, Some(&place), found);
        }
        ExpressionKind::Parenthesized(inner) => look(inner, role, called, outer, found),
        ExpressionKind::Call(call) => {
            look(&call.function, called, LiteralRole::Called, outer, found);
            for argument in &call.arguments {
                let role = LiteralRole::Argument(call);
                look(argument, role, LiteralRole::Called, outer, found);
            }
        }
        _ => expression.for_each_child(&mut |child| {
            look(child, LiteralRole::Kept, LiteralRole::Called, outer, found);
        }),
    }
}

impl<'p, 't> FunctionContext<'_, 'p, 't> {
    /// Whether it runs in a goroutine of its own: `go func() { … }()`.
    #[must_use]
    pub fn is_goroutine(&self) -> bool {
        self.literal.as_ref().is_some_and(|place| matches!(place.role, LiteralRole::Go))
    }

    /// Whether it is a deferred function without a name.
    #[must_use]
    pub fn is_deferred(&self) -> bool {
        self.literal.as_ref().is_some_and(|place| matches!(place.role, LiteralRole::Deferred))
    }

    /// Whether it serves a request: an HTTP handler (of `net/http` and of the frameworks that are known).
    #[must_use]
    pub fn is_handler(&self) -> bool {
        self.is_handler_signature(self.signature())
    }

    /// Whether it runs for one request: a handler, a call of gRPC, or a function without a name in one.
    #[must_use]
    pub fn serves_request(&self) -> bool {
        let mut place = self.literal.as_deref();
        while let Some(LiteralPlace { literal, outer, .. }) = place {
            if self.is_handler_signature(&literal.signature) {
                return true;
            }
            place = outer.as_deref();
        }
        let declared = self.of(self.declared);
        declared.is_handler() || declared.is_rpc()
    }

    fn is_handler_signature(&self, signature: &Signature<'t>) -> bool {
        let mut writer = false;
        for parameter in &signature.parameters {
            let ty = self.inference.read_type(&parameter.ty);
            if ty.is_named("net/http", "ResponseWriter") {
                writer = true;
            }
            if writer && ty.is_or_points_to("net/http", "Request") {
                return true;
            }
            if let Some((package, "Context" | "Ctx")) = ty.name()
                && FRAMEWORKS.iter().any(|framework| package.starts_with(framework))
            {
                return true;
            }
        }
        false
    }

    /// The parameters by which a handler answers: the `http.ResponseWriter`, the framework's context.
    #[must_use]
    pub fn answers_by(&self) -> Vec<VariableId> {
        let resolution = &self.inference.resolution;
        let answers = |variable: &VariableId| match resolution.variable(*variable).ty.name() {
            Some(("net/http", "ResponseWriter")) => true,
            Some((package, "Context" | "Ctx")) => {
                FRAMEWORKS.iter().any(|framework| package.starts_with(framework))
            }
            _ => false,
        };
        let names = self.signature().parameters.iter().flat_map(|parameter| &parameter.names);
        names.filter_map(|name| resolution.at(name.span)).filter(answers).collect()
    }

    /// Whether it serves a call of gRPC: a method `(context, *Request) (*Response, error)`, or one with a
    /// stream of gRPC.
    #[must_use]
    pub fn is_rpc(&self) -> bool {
        let function = self.declared.function;
        if self.literal.is_some() || function.receiver.is_none() {
            return false;
        }
        let exported = function.name.name.chars().next().is_some_and(char::is_uppercase);
        let types = |parameters: &[crate::syntax::ast::Parameter<'t>]| {
            Type::of_parameters(parameters, &self.file.imports, "")
        };
        let (parameters, results) =
            (types(&function.signature.parameters), types(&function.signature.results));
        let [context, Type::Pointer(request)] = &parameters[..] else { return false };
        let [Type::Pointer(response), error] = &results[..] else { return false };
        let generated =
            |ty: &Type<'t>| matches!(ty, Type::Named { package, .. } if is_generated(package));
        exported
            && context.is_named("context", "Context")
            && error.is_error()
            && generated(request)
            && generated(response)
    }

    /// Whether it is an interceptor of a gRPC server.
    #[must_use]
    pub fn is_interceptor(&self) -> bool {
        self.signature().parameters.iter().any(|parameter| {
            let ty = self.inference.read_type(&parameter.ty);
            ["UnaryServerInfo", "StreamServerInfo"]
                .iter()
                .any(|info| ty.is_or_points_to("google.golang.org/grpc", info))
        })
    }

    /// Whether it is `main` or `init`, of which the process is made.
    #[must_use]
    pub fn is_main(&self) -> bool {
        let function = self.declared.function;
        self.literal.is_none()
            && function.receiver.is_none()
            && (function.name.name == "init"
                || function.name.name == "main" && self.file.syntax.package.name == "main")
    }

    /// The `defer` that recovers here, if a panic of this function is recovered from: `recover()` called
    /// directly by a deferred function.
    #[must_use]
    pub fn recovers(&self) -> Option<Span> {
        let mut defers = self.defers().into_iter();
        defers.find(|deferred| self.is_recovering(deferred.call)).map(|it| it.statement.span)
    }

    /// Whether a deferred call recovers. One of another package does by its name.
    #[must_use]
    pub fn is_recovering(&self, deferred: &'p Call<'t>) -> bool {
        let callee = self.callee(deferred);
        match callee.body() {
            Some(body) => calls_recover(body),
            None => {
                let name = callee.name.to_ascii_lowercase();
                ["recover", "panic", "crash"].iter().any(|part| name.contains(part))
            }
        }
    }

    /// Every statement of this function that starts a goroutine.
    #[must_use]
    pub fn goroutines(&self) -> Vec<(&'p Statement<'t>, &'p Call<'t>)> {
        let mut found = Vec::new();
        self.body().walk(&mut |statement| {
            if let StatementKind::Go(expression) = &statement.kind
                && let Some(call) = expression.as_call()
            {
                found.push((statement, call));
            }
        });
        found
    }
}

/// Whether a body calls `recover()` itself, not in a function within.
#[must_use]
pub fn calls_recover(body: &Block<'_>) -> bool {
    let mut found = false;
    body.walk_expressions(&mut |expression| {
        found |= expression.as_call().is_some_and(|call| {
            call.function.as_name() == Some("recover") && call.arguments.is_empty()
        });
    });
    found
}

/// Frameworks whose handlers have a `Context` or `Ctx`.
const FRAMEWORKS: [&str; 4] = [
    "github.com/gin-gonic/gin",
    "github.com/labstack/echo",
    "github.com/gofiber/fiber",
    "github.com/kataras/iris",
];

/// Whether a package is most likely generated from protocol buffers.
pub(super) fn is_generated(package: &str) -> bool {
    let last = package.rsplit('/').next().unwrap_or(package);
    package.contains("/pb/")
        || package.contains("/proto/")
        || last.ends_with("pb")
        || last.ends_with("proto")
        || last.starts_with("pb")
}
