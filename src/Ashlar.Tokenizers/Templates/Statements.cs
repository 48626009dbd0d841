namespace Ashlar.Tokenizers;

/// <summary>How a part of a template ended.</summary>
enum Ending
{
    Normal,
    Break,
    Continue,
}

/// <summary>A part of a template that is done.</summary>
abstract class Statement(int line)
{
    public int Line => line;

    public abstract Ending Run(Rendering rendering, Scope scope);
}

/// <summary>Parts one behind the other; an error gets its line here.</summary>
sealed class Block(string name, Statement[] parts) : Statement(parts.Length > 0 ? parts[0].Line : 1)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        foreach (var part in parts)
        {
            try
            {
                rendering.Charge(1);
                if (part.Run(rendering, scope) is not Ending.Normal and var ending) return ending;
            }
            catch (TemplateProblem problem)
            {
                throw problem.At(name, part.Line);
            }
            catch (InsufficientExecutionStackException)
            {
                throw TemplateError.Limit(name, part.Line, "values are within values too deep");
            }
        }
        return Ending.Normal;
    }
}

sealed class TextStatement(int line, string text) : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        rendering.Write(text);
        return Ending.Normal;
    }
}

sealed class Print(int line, Expression value) : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        rendering.Write(Values.ToText(value.Evaluate(rendering, scope), rendering));
        return Ending.Normal;
    }
}

/// <summary>An expression whose value is not written.</summary>
sealed class Do(int line, Expression value) : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        value.Evaluate(rendering, scope);
        return Ending.Normal;
    }
}

sealed class If(int line, (Expression Condition, Block Body)[] branches, Block? otherwise) : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        foreach (var (condition, body) in branches)
            if (Values.IsTrue(condition.Evaluate(rendering, scope))) return body.Run(rendering, scope);
        return otherwise?.Run(rendering, scope) ?? Ending.Normal;
    }
}

/// <summary>Where a value goes: a name, several, or a field of a namespace.</summary>
abstract record Target
{
    public abstract void Set(object? value, Rendering rendering, Scope scope);
}

sealed record NameTarget(string Name) : Target
{
    public override void Set(object? value, Rendering rendering, Scope scope) => scope[Name] = value;
}

sealed record FieldTarget(string Name, string Field) : Target
{
    public override void Set(object? value, Rendering rendering, Scope scope)
    {
        if (!scope.TryGet(Name, out object? of) || of is not TemplateNamespace fields)
            throw new TemplateProblem(
                $"'{Name}' is {(of is null ? "undefined" : Values.TypeOf(of))}, not a namespace, so its '{Field}' cannot be set");
        fields.Values[Field] = value;
    }
}

sealed record ListTarget(Target[] Targets) : Target
{
    public override void Set(object? value, Rendering rendering, Scope scope)
    {
        var values = Values.Items(value, rendering);
        if (values.Count != Targets.Length)
            throw new TemplateProblem($"{values.Count} values are to be set to {Targets.Length} names");
        for (int i = 0; i < Targets.Length; i++) Targets[i].Set(values[i], rendering, scope);
    }
}

sealed class Set(int line, Target target, Expression value) : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        target.Set(value.Evaluate(rendering, scope), rendering, scope);
        return Ending.Normal;
    }
}

sealed class SetBlock(int line, Target target, Block body, Filtered[] filters) : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        object? value = rendering.Capture(() => body.Run(rendering, new(scope)));
        foreach (var filter in filters) value = filter.Apply(value, rendering, scope);
        target.Set(value, rendering, scope);
        return Ending.Normal;
    }
}

sealed class FilterBlock(int line, Block body, Filtered[] filters) : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        object? value = rendering.Capture(() => body.Run(rendering, new(scope)));
        foreach (var filter in filters) value = filter.Apply(value, rendering, scope);
        rendering.Write(Values.ToText(value, rendering));
        return Ending.Normal;
    }
}

sealed class With(int line, (Target Target, Expression Value)[] values, Block body) : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        var inner = new Scope(scope);
        foreach (var (target, value) in values) target.Set(value.Evaluate(rendering, scope), rendering, inner);
        return body.Run(rendering, inner);
    }
}

sealed class Leave(int line, Ending ending) : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope) => ending;
}

/// <summary>What <c>loop</c> is within a loop.</summary>
sealed class LoopState(IReadOnlyList<object?> items, int depth, TemplateFunction? again)
{
    object? lastChanged;
    bool hasChanged;

    public int Index { get; set; }

    public TemplateFunction? Again => again;

    public object? Get(string name) => name switch
    {
        "index" => Index + 1L,
        "index0" => (long)Index,
        "revindex" => (long)(items.Count - Index),
        "revindex0" => items.Count - Index - 1L,
        "first" => Index == 0,
        "last" => Index == items.Count - 1,
        "length" => (long)items.Count,
        "depth" => depth + 1L,
        "depth0" => (long)depth,
        "previtem" => Index > 0 ? items[Index - 1] : new Undefined("the item before the first"),
        "nextitem" => Index + 1 < items.Count ? items[Index + 1] : new Undefined("the item behind the last"),
        "cycle" => (TemplateFunction)((_, given) => given.Positions.Count > 0
            ? given.Positions[Index % given.Positions.Count]
            : throw new TemplateProblem("loop.cycle needs values")),
        "changed" => (TemplateFunction)((_, given) =>
        {
            bool changed = !hasChanged || !Values.AreEqual(lastChanged, given.Positions);
            (lastChanged, hasChanged) = (given.Positions, true);
            return changed;
        }),
        _ => new Undefined($"'loop.{name}'"),
    };
}

sealed class For(int line, Target target, Expression over, Expression? condition, Block body, Block? otherwise, bool isRecursive)
    : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        Loop(over.Evaluate(rendering, scope), rendering, scope, 0);
        return Ending.Normal;
    }

    void Loop(object? value, Rendering rendering, Scope scope, int depth)
    {
        var items = Values.Items(value, rendering);
        if (condition is not null)
        {
            items = items.Where(item =>
            {
                var inner = new Scope(scope);
                target.Set(item, rendering, inner);
                return Values.IsTrue(condition.Evaluate(rendering, inner));
            }).ToList();
        }
        TemplateFunction? again = !isRecursive ? null : (_, given) =>
            rendering.Capture(() => Loop(given.Need("iterable"), rendering, scope, depth + 1));
        var state = new LoopState(items, depth, again);
        for (; state.Index < items.Count; state.Index++)
        {
            rendering.Charge(1);
            var inner = new Scope(scope) { ["loop"] = state };
            target.Set(items[state.Index], rendering, inner);
            if (body.Run(rendering, inner) == Ending.Break) break;
        }
        if (items.Count == 0) otherwise?.Run(rendering, new(scope));
    }
}

/// <param name="line">Where it begins.</param>
/// <param name="name">What it is called.</param>
/// <param name="parameters">Their names, and what they are where nothing is given.</param>
/// <param name="body">What it writes.</param>
/// <param name="takesMore">It looks at arguments beyond its parameters (varargs, kwargs).</param>
sealed class Macro(int line, string name, (string Name, Expression? Otherwise)[] parameters, Block body, bool takesMore)
    : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        scope[name] = Function(scope);
        return Ending.Normal;
    }

    /// <summary>The macro as a value, within the names around it.</summary>
    public TemplateFunction Function(Scope scope) => (rendering, arguments) =>
    {
        var inner = new Scope(scope);
        for (int i = 0; i < parameters.Length; i++)
        {
            var (parameter, otherwise) = parameters[i];
            inner[parameter] = i < arguments.Positions.Count
                ? arguments.Positions[i]
                : arguments.Names.Remove(parameter, out object? given) ? given
                : otherwise is not null
                ? otherwise.Evaluate(rendering, inner)
                : new Undefined($"the argument '{parameter}' of '{name}'");
        }
        if (arguments.Names.Remove("caller", out object? caller)) inner["caller"] = caller;
        if (!takesMore && arguments.Positions.Count > parameters.Length)
            throw new TemplateProblem($"'{name}' takes {parameters.Length} arguments, but was given {arguments.Positions.Count}");
        if (!takesMore && arguments.Names.Count > 0)
            throw new TemplateProblem($"'{name}' has no argument '{arguments.Names.Keys.First()}'");
        inner["varargs"] = arguments.Positions.Skip(parameters.Length).ToList();
        var more = new TemplateMap();
        foreach (var (key, value) in arguments.Names) more[key] = value;
        inner["kwargs"] = more;
        return rendering.Capture(() => body.Run(rendering, inner));
    };
}

sealed class CallBlock(int line, Call call, Macro caller) : Statement(line)
{
    public override Ending Run(Rendering rendering, Scope scope)
    {
        rendering.Write(Values.ToText(call.Invoke(rendering, scope, caller.Function(scope)), rendering));
        return Ending.Normal;
    }
}
