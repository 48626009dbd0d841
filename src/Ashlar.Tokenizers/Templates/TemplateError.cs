namespace Ashlar.Tokenizers;

/// <summary>The errors of chat templates.</summary>
static class TemplateError
{
    /// <summary>The text of the template is not well formed.</summary>
    public static TokenizerException Syntax(string name, int line, string problem) =>
        new("ASH0480", $"{name}, line {line}: {problem}.",
        "correct the template; templates are Jinja, as the transformers library runs it.");

    /// <summary>The template asked for what is not there.</summary>
    public static TokenizerException Failed(string name, int line, string problem) =>
        new("ASH0481", $"{name}, line {line}: {problem}.",
        "look at what the template needs, and pass it; or give another template with --template FILE.");

    /// <summary>The template wants too much.</summary>
    public static TokenizerException Limit(string name, int line, string problem) =>
        new("ASH0482", $"{name}, line {line}: {problem}.",
        "use another template; where the work is meant, raise the limit in TemplateLimits.");

    /// <summary>The template itself says no.</summary>
    public static TokenizerException Raised(string name, int line, string problem) => new("ASH0484",
        $"{name}, line {line}, refuses the conversation: {problem.TrimEnd('.')}.",
        "change the messages to what the model was trained on.");
}

/// <summary>What went wrong within an operation; the place is added where it is known.</summary>
sealed class TemplateProblem(string problem, TemplateProblem.Kind kind = TemplateProblem.Kind.Failed) : Exception(problem)
{
    public enum Kind
    {
        Failed,
        Limit,
        Raised,
    }

    public Kind What => kind;

    public TokenizerException At(string name, int line) => What switch
    {
        Kind.Limit => TemplateError.Limit(name, line, Message),
        Kind.Raised => TemplateError.Raised(name, line, Message),
        _ => TemplateError.Failed(name, line, Message),
    };
}
