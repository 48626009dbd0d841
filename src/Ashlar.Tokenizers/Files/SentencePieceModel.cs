using System.Buffers.Binary;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Reads a <c>tokenizer.model</c> of SentencePiece: a protocol buffer, read by hand, of which every length is
/// checked.</summary>
/// <remarks>
/// Message ModelProto: 1 pieces (1 text, 2 score, 3 type), 2 trainer (3 kind, 35 byte fallback, 40 to 43 ids, 24 blanks as
/// suffix), 3 normalizer (2 map, 3 dummy prefix, 4 remove extra blanks, 5 escape). Kudo and Richardson 2018, arXiv:1808.06226.
/// </remarks>
static class SentencePieceModel
{
    const int Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    sealed class Contents
    {
        public readonly List<(byte[] Text, float Score, int Type)> Pieces = [];
        public int Kind = 1, UnknownId, BeginId = 1, EndId = 2, PaddingId = -1;
        public bool ByteFallback, SuffixBlanks, Prefix = true, RemovesExtra = true, Escapes = true;
        public byte[] Map = [];
    }

    /// <param name="file">The content of the file.</param>
    /// <param name="source">What errors call it.</param>
    /// <param name="addsBegin">Texts begin with the token for that.</param>
    /// <param name="addsEnd">Texts end with the token for that.</param>
    /// <param name="more">Tokens that the file does not hold, or holds otherwise; null for none.</param>
    /// <exception cref="TokenizerException">It is not well formed, or of a kind that is not supported.</exception>
    public static TokenizerFiles Read(
        ReadOnlySpan<byte> file, string source, bool addsBegin = true, bool addsEnd = false,
        IReadOnlyList<AddedToken>? more = null)
    {
        var contents = new Contents();
        Fields(file, source, (field, value, bytes) =>
        {
            if (field == 1) contents.Pieces.Add(Piece(bytes, source));
            else if (field == 2) Trainer(bytes, source, contents);
            else if (field == 3) Normalizer(bytes, source, contents);
        });
        if (contents.Pieces.Count is 0 or >= Vocabulary.Limit) throw Invalid(source, $"it has {contents.Pieces.Count:N0} pieces");
        return Build(contents, source, addsBegin, addsEnd, more ?? []);
    }

    static TokenizerFiles Build(Contents contents, string source, bool addsBegin, bool addsEnd, IReadOnlyList<AddedToken> more)
    {
        var pieces = contents.Pieces;
        var vocabulary = new Vocabulary([.. pieces.Select(piece => piece.Text)]);
        float[] scores = [.. pieces.Select(piece => piece.Score)];
        int unknown = pieces.FindIndex(piece => piece.Type == Unknown);
        if (unknown < 0) throw Invalid(source, "it has no piece for what is unknown");
        if (contents.Kind == 2 && pieces.Any(piece => piece.Type == Unused))
            throw Invalid(source, "it has pieces that are not used (UNUSED), whose merges are taken back", "ASH0442");
        TokenModel model = contents.Kind switch
        {
            1 =>
                new UnigramModel(vocabulary,
                    [.. pieces.Select((piece, token) => piece.Type == UserDefined ? 0.0 : scores[token])], unknown,
                    contents.ByteFallback,
                token => pieces[token].Type is 1 or UserDefined or Unused, pieces.Where(piece => piece.Type == 1)
                    .Select(piece => (double)piece.Score).DefaultIfEmpty().Min()),
            2 => BytePairModel.OfRanks(vocabulary, Ranks(scores, token => pieces[token].Type is 1 or UserDefined),
                new() { ByteFallback = contents.ByteFallback, Unknown = unknown, FuseUnknown = true }),
            3 => new WordLevelModel(vocabulary, unknown),
            4 => BytePairModel.OfRanks(vocabulary, _ => null, new() { Unknown = unknown, FuseUnknown = true }),
            var other => throw Invalid(source, $"its kind of model is {other}", "ASH0442"),
        };
        var kept = new ByteTrie();
        foreach (var (token, piece) in pieces.Index())
            if (piece.Type == UserDefined) kept.Add(piece.Text, token);
        bool hasKept = pieces.Any(piece => piece.Type == UserDefined);
        AddedToken[] added =
            [.. pieces.Index().Where(entry => entry.Item.Type is Unknown or Control or UserDefined && entry.Item.Text.Length > 0)
            .Select(entry => new AddedToken(Encoding.UTF8.GetString(entry.Item.Text), entry.Index, entry.Item.Type != UserDefined)
            {
                IsNormalized = entry.Item.Type == UserDefined,
            })];
        // A folder may give tokens behind those of the file.
        added = [.. added.Where(token => more.All(other => other.Token != token.Token && other.Text != token.Text)),
            .. more.Select(token => token with { IsNormalized = false })];
        byte[]?[] names = [.. pieces.Select(piece => piece.Text)];
        foreach (var token in more)
        {
            if (token.Token >= names.Length) Array.Resize(ref names, token.Token + 1);
            names[token.Token] ??= Encoding.UTF8.GetBytes(token.Text);
        }
        int? begin = ControlToken(contents.BeginId), end = ControlToken(contents.EndId);
        var pipeline = new TokenizerPipeline(new()
        {
            Model = model,
            Names = new Vocabulary(names),
            Normalizer = new SentencePieceNormalizer(contents.Map.Length > 0 ? new(contents.Map, source) : null, contents.Prefix,
                contents.RemovesExtra,
                contents.Escapes, contents.SuffixBlanks, hasKept ? kept : null),
            // What a user defined is found behind the rules, which leave it as it is but for its blanks.
            NormalizeAdded = text => Encoding.UTF8.GetBytes(contents.Escapes ? text.Replace(' ', '\u2581') : text),
            PreTokenizers = contents.Kind == 3 ? [new Metaspace(new('\u2581'), PrependScheme.Never, cuts: true)] : [],
            Decoders = Decoders(contents.Prefix),
            Added = added,
            Before = addsBegin && begin is { } first ? [first] : [],
            Behind = addsEnd && end is { } last ? [last] : [],
        });
        return new()
        {
            Tokenizer = pipeline,
            Special = new()
            {
                Begin = begin,
                End = end,
                Unknown = unknown,
                Padding = ControlToken(contents.PaddingId),
                Stop = SpecialTokens.FindStops(pipeline, [end]),
            },
        };

        int? ControlToken(int id) => (uint)id < (uint)pieces.Count && pieces[id].Type == Control ? id : null;
    }

    /// <summary>Ranks by falling score; equal scores have equal ranks, of which the leftmost comes first.</summary>
    public static Func<int, int?> Ranks(float[] scores, Func<int, bool> isFound)
    {
        int?[] ranks = new int?[scores.Length];
        int rank = -1;
        float last = float.NaN;
        foreach (int token in Enumerable.Range(0, scores.Length).Where(isFound).OrderByDescending(token => scores[token]))
        {
            if (scores[token] != last) rank++;
            last = scores[token];
            ranks[token] = rank;
        }
        return token => ranks[token];
    }

    /// <summary>Marks become blanks, bytes bytes; the blank that was written before the text goes.</summary>
    public static DecoderPart[] Decoders(bool prefix) =>
    [
        new ReplaceInTokens(new ReplaceText("\u2581", " ")), new BytesOfFallback(), new FuseTokens(),
        .. prefix ? [new StripCharacter(new(' '), 1, 0)] : (DecoderPart[])[],
    ];

    static (byte[] Text, float Score, int Type) Piece(ReadOnlySpan<byte> message, string source)
    {
        byte[] text = [];
        float score = 0;
        int type = 1;
        Fields(message, source, (field, value, bytes) =>
        {
            if (field == 1) text = bytes.ToArray();
            else if (field == 2) score = BitConverter.UInt32BitsToSingle((uint)value);
            else if (field == 3) type = (int)value;
        });
        if (!float.IsFinite(score)) throw Invalid(source, $"the piece '{Encoding.UTF8.GetString(text)}' has the score {score}");
        if (type is < 1 or > Byte) throw Invalid(source, $"the piece '{Encoding.UTF8.GetString(text)}' has the type {type}");
        return (text, score, type);
    }

    static void Trainer(ReadOnlySpan<byte> message, string source, Contents contents) =>
        Fields(message, source, (field, value, _) =>
    {
        switch (field)
        {
            case 3: contents.Kind = (int)value; break;
            case 24: contents.SuffixBlanks = value != 0; break;
            case 35: contents.ByteFallback = value != 0; break;
            case 40: contents.UnknownId = (int)(long)value; break;
            case 41: contents.BeginId = (int)(long)value; break;
            case 42: contents.EndId = (int)(long)value; break;
            case 43: contents.PaddingId = (int)(long)value; break;
            default: break;   // how it was trained
        }
    });

    static void Normalizer(ReadOnlySpan<byte> message, string source, Contents contents) =>
        Fields(message, source, (field, value, bytes) =>
    {
        switch (field)
        {
            case 2: contents.Map = bytes.ToArray(); break;
            case 3: contents.Prefix = value != 0; break;
            case 4: contents.RemovesExtra = value != 0; break;
            case 5: contents.Escapes = value != 0; break;
            default: break;   // its name
        }
    });

    delegate void FieldRead(int field, ulong value, ReadOnlySpan<byte> bytes);

    static void Fields(ReadOnlySpan<byte> message, string source, FieldRead read)
    {
        for (int at = 0; at < message.Length;)
        {
            ulong key = Number(message, ref at, source);
            int field = (int)Math.Min(key >> 3, int.MaxValue);
            if (field == 0) throw Invalid(source, "it is not a SentencePiece model (a field has the number 0)");
            switch (key & 7)
            {
                case 0:
                    read(field, Number(message, ref at, source), default);
                    break;
                case 1:
                    if (message.Length - at < 8) throw Short(source);
                    read(field, BinaryPrimitives.ReadUInt64LittleEndian(message[at..]), default);
                    at += 8;
                    break;
                case 2:
                    ulong length = Number(message, ref at, source);
                    if (length > (ulong)(message.Length - at)) throw Short(source);
                    read(field, 0, message.Slice(at, (int)length));
                    at += (int)length;
                    break;
                case 5:
                    if (message.Length - at < 4) throw Short(source);
                    read(field, BinaryPrimitives.ReadUInt32LittleEndian(message[at..]), default);
                    at += 4;
                    break;
                default:
                    throw Invalid(source, $"it is not a SentencePiece model (a field is of the kind {key & 7})");
            }
        }
    }

    static ulong Number(ReadOnlySpan<byte> message, ref int at, string source)
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (at >= message.Length) throw Short(source);
            byte next = message[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return value;
        }
        throw Invalid(source, "it is not a SentencePiece model (a number is too long)");
    }

    static TokenizerException Short(string source) => Invalid(source, "a length reaches behind its end; it may be cut short");

    static TokenizerException Invalid(string source, string problem, string code = "ASH0471") =>
        new(code, $"{source} cannot be used: {problem}.",
            "fetch the file again; a file of a few hundred bytes may be a pointer of git-lfs.");
}
