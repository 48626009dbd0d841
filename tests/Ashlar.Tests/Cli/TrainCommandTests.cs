using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Ashlar.Backends.Cpu;
using Ashlar.Cli;
using Ashlar.Runtime;
using Ashlar.Training;

namespace Ashlar.Tests.Cli;

public sealed class TrainCommandTests : IDisposable
{
    readonly string root = Directory.CreateTempSubdirectory("ashlar-train").FullName;
    readonly Device.Selection selection = new Device(new CpuBackend()).Select();

    public void Dispose()
    {
        selection.Dispose();
        Directory.Delete(root, recursive: true);
    }

    static readonly string[] small =
        ["--layers", "1", "--width", "16", "--heads", "2", "--context", "16", "--batch", "4", "--steps", "12", "--eval-every",
            "4", "--save-every", "4", "--dropout", "0.1"];

    string At(string name) => Path.Combine(root, name);

    string Text(string name = "text.txt", string? content = null)
    {
        File.WriteAllText(At(name),
            content ?? string.Concat(Enumerable.Repeat("the quick brown fox jumps over the lazy dog. ", 40)));
        return At(name);
    }

    static async Task<(int Code, string Output, string Error)> Run(params string[] args) => await Run(new StringWriter(), args);

    static async Task<(int Code, string Output, string Error)> Run(StringWriter output, params string[] args)
    {
        var error = new StringWriter();
        int code = await CommandLine.Run([TrainCommand.Define(() => 1e9), GenerateCommand.Define(() => { })], args,
            output, error);
        return (code, output.ToString(), error.ToString());
    }

    Task<(int Code, string Output, string Error)> Train(string folder, params string[] more) =>
        Run(["train", "--text", Text(), "--out", At(folder), .. small, .. more]);

    string[] Losses(string folder) =>
        [.. File.ReadAllLines(Path.Combine(At(folder), "metrics.jsonl"))
            .Where(line => line.Contains("loss", StringComparison.Ordinal))
        .Select(line => JsonNode.Parse(line)!).Select(line => $"{line["step"]} {line["loss"]} {line["validation_loss"]}")];

    [Fact]
    public async Task Train_WritesModelCheckpointsAndReports()
    {
        var (code, output, error) = await Train("a");
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("step 12/12  loss ", output);
        Assert.Contains("step 12: validation loss ", output);
        Assert.Contains($"ashlar generate {At("a")} --prompt", output);
        string[] files = [.. Directory.GetFiles(At("a"), "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(At("a"), path).Replace('\\', '/'))];
        Assert.Equal(
            ["checkpoints/step-00000008.safetensors", "checkpoints/step-00000012.safetensors", "config.json", "loss.svg",
                "metrics.jsonl", "model.safetensors", "samples.txt", "tokenizer.json", "training.json"],
            files.Where(file => !file.StartsWith("events.", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Single(files, file => file.StartsWith("events.out.tfevents.", StringComparison.Ordinal));
        Assert.Equal(12 + 3, Losses("a").Length);
        var made = await Run("generate", At("a"), "--prompt", "the ", "--max-tokens", "5");
        Assert.Equal((0, 10), (made.Code, made.Output.Length));
    }

    /// <summary>Does something when a line was written.</summary>
    sealed class Watch(string line, Action then) : StringWriter
    {
        public override void Write(string? value)
        {
            base.Write(value);
            if (value?.Contains(line, StringComparison.Ordinal) == true) then();
        }
    }

    // What is in the folder at any moment is what a killed process leaves behind.
    [Theory]
    [InlineData("step 1/12")]
    [InlineData("step 3/12")]
    [InlineData("step 4: validation")]
    [InlineData("step 7/12")]
    [InlineData("step 12/12")]
    public async Task Resume_GivesTheSameLosses_WhereverItWasKilled(string moment)
    {
        var watch = new Watch(moment, () =>
        {
            foreach (string path in Directory.GetFiles(At("whole"), "*", SearchOption.AllDirectories))
            {
                string copy = path.Replace(At("whole"), At("killed"), StringComparison.Ordinal);
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(path, copy, overwrite: true);
            }
        });
        var whole = await Run(watch, ["train", "--text", Text(), "--out", At("whole"), .. small]);
        Assert.Equal((0, ""), (whole.Code, whole.Error));
        Assert.NotEqual(Losses("whole"), Losses("killed"));

        var (code, _, error) = await Run("train", "--resume", "--out", At("killed"));
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(Losses("whole"), Losses("killed"));
        Assert.Equal(File.ReadAllBytes(Path.Combine(At("whole"), "model.safetensors")),
            File.ReadAllBytes(Path.Combine(At("killed"), "model.safetensors")));
        Assert.Equal(File.ReadAllText(Path.Combine(At("whole"), "samples.txt")),
            File.ReadAllText(Path.Combine(At("killed"), "samples.txt")));
    }

    [Fact]
    public async Task Cancelling_SavesAndSaysHowToResume()
    {
        using var cancel = new CancellationTokenSource();
        var watch = new Watch("step 6/12", cancel.Cancel);
        var settings = new TrainSettings
        {
            Text = Text(),
            Layers = 1,
            Width = 16,
            Heads = 2,
            Context = 16,
            Batch = 4,
            Steps = 12,
            Warmup = 1,
        };
        using (var run = new TrainRun(settings, At("c"), resumes: false, null, Screen.On(watch)))
            Assert.False(run.Run(cancel.Token));
        Assert.Contains($"Stopped after step 6, and saved. Go on with: ashlar train --resume --out {At("c")}", watch.ToString());
        Assert.Contains("Resumed after step 6", (await Run("train", "--resume", "--out", At("c"))).Output);
    }

    [Fact]
    public void Bf16_TrainsNearFloat32_AndIsKeptForResume()
    {
        var settings = new TrainSettings
        {
            Text = Text(),
            Layers = 1,
            Width = 16,
            Heads = 2,
            Context = 16,
            Batch = 4,
            Steps = 8,
            Warmup = 1,
        };
        foreach (var kind in (ProductKind[])[ProductKind.F32, ProductKind.BF16])
            using (var run = new TrainRun(settings with { Dtype = kind }, At(kind.ToString()), resumes: false, null,
                Screen.On(new StringWriter())))
            {
                TrainSettings.Load(At(kind.ToString()));
                Assert.True(run.Run(CancellationToken.None));
            }
        Assert.Equal(ProductKind.BF16, TrainSettings.Load(At("BF16")).Dtype);
        Assert.NotEqual(Losses("F32"), Losses("BF16"));
        Assert.Equal(LastLoss("F32"), LastLoss("BF16"), 0.02);

        double LastLoss(string name) =>
            double.Parse(Losses(name).Select(line => line.Split(' ')[1]).Last(loss => loss.Length > 0),
                CultureInfo.InvariantCulture);
    }

    [Fact]
    public void HugeTexts_AreTrainedFromATokenFile()
    {
        var settings = new TrainSettings
        {
            Text = Text(),
            Layers = 1,
            Width = 16,
            Heads = 2,
            Context = 16,
            Batch = 4,
            Steps = 3,
            Warmup = 1,
        };
        foreach (string name in (string[])["memory", "file"])
            using (var run = new TrainRun(settings, At(name), resumes: false, null, Screen.On(new StringWriter()),
                mostInMemoryBytes: name == "file" ? 100 : 1 << 20))
                Assert.True(run.Run(CancellationToken.None));
        Assert.Equal(Losses("memory"), Losses("file"));
        Assert.True(File.Exists(Path.Combine(At("file"), "text.tokens")));
    }

    [Fact]
    public async Task Resume_TrainsLonger_WhenMoreStepsAreGiven()
    {
        await Train("a");
        Assert.Contains("All 12 steps are made.", (await Run("train", "--resume", "--out", At("a"))).Output);
        var (code, output, _) = await Run("train", "--resume", "--out", At("a"), "--steps", "14");
        Assert.Equal(0, code);
        Assert.Contains("step 14/14", output);
    }

    [Fact]
    public async Task Resume_TakesTheCheckpointBefore_WhenTheLastIsCutShort()
    {
        await Train("a");
        string last = Path.Combine(At("a"), "checkpoints/step-00000012.safetensors");
        File.WriteAllBytes(last, File.ReadAllBytes(last)[..1000]);
        string[] before = Losses("a");
        var (code, output, _) = await Run("train", "--resume", "--out", At("a"));
        Assert.Equal(0, code);
        Assert.Contains("A checkpoint is left out: ASH041", output);
        Assert.Contains("Resumed after step 8", output);
        Assert.Equal(before, Losses("a"));
    }

    [Theory]
    [InlineData("\"width\": 16", "\"width\": 32", "ASH0421")]            // another model
    [InlineData("\"optimizer\": \"adam-w\"", "\"optimizer\": \"lion\"", "ASH0421")]
    [InlineData("\"seed\": 1", "\"seed\": 2", "ASH0437")]                // another order of the data
    [InlineData("\"layers\": 1", "\"layers\": ", "ASH0507")]
    [InlineData("\"layers\": 1", "\"depth\": 1", "ASH0507")]
    public async Task Resume_IsRefused_WhenTheTrainingIsAnother(string from, string to, string code)
    {
        await Train("a");
        string path = Path.Combine(At("a"), "training.json"), text = File.ReadAllText(path);
        Assert.Contains(from, text);
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
        var (result, _, error) = await Run("train", "--resume", "--out", At("a"));
        Assert.Equal(1, result);
        Assert.StartsWith(code, error);
    }

    [Fact]
    public async Task Resume_IsRefused_WhenTheTextChanged()
    {
        await Train("a");
        Text(content: string.Concat(Enumerable.Repeat("the quick brown fox jumps over the lazy cat. god ", 40)));
        var (code, _, error) = await Run("train", "--resume", "--out", At("a"));
        Assert.Equal(1, code);
        Assert.StartsWith("ASH0437", error);
    }

    [Theory]
    [InlineData("", "ASH0431")]
    [InlineData("too short", "ASH0433")]
    [InlineData(null, "ASH0430")]
    public async Task Text_IsRefused_WhenItCannotBeLearned(string? content, string code)
    {
        if (content is not null) Text("bad.txt", content);
        var (result, _, error) = await Run(["train", "--text", At("bad.txt"), "--out", At("b"), .. small]);
        Assert.Equal(1, result);
        Assert.StartsWith(code, error);
        Assert.False(Directory.Exists(At("b")));   // nothing was begun
    }

    [Fact]
    public async Task Text_IsRefused_WhenItIsNotUtf8()
    {
        File.WriteAllBytes(At("latin.txt"), Encoding.Latin1.GetBytes("caf\u00e9 and more text than one context holds"));
        var (code, _, error) = await Run(["train", "--text", At("latin.txt"), "--out", At("b"), .. small]);
        Assert.Equal(1, code);
        Assert.StartsWith("ASH0432", error);
    }

    [Fact]
    public async Task Train_RefusesAFolderWithATraining()
    {
        await Train("a");
        var (code, _, error) = await Train("a");
        Assert.Equal(1, code);
        Assert.StartsWith("ASH0506", error);
        Assert.Contains($"ashlar train --resume --out {At("a")}", error);
    }

    [Fact]
    public async Task Train_SaysStepAndLayer_WhenTheLossIsNotFinite()
    {
        var (code, _, error) = await Train("a", "--lr", "1e30", "--warmup", "0", "--clip", "1e30", "--optimizer", "sgd");
        Assert.Equal(1, code);
        Assert.StartsWith("ASH0502: at step ", error);
        Assert.Contains("comes up at '", error);
    }

    [Theory]
    [InlineData("bpe", "--vocab", "300")]
    [InlineData("byte", "--modern", "--optimizer", "muon")]
    [InlineData("char", "--accumulate", "2", "--schedule", "wsd", "--optimizer", "adafactor")]
    public async Task Train_TakesItsOptions(string tokenizer, params string[] more)
    {
        var (code, output, error) = await Train("a", ["--tokenizer", tokenizer, .. more]);
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("step 12: validation loss", output);
    }

    [Theory]
    [InlineData("--text is missing", "--out", "x")]
    [InlineData("Option '--out' is required.", "--text", "a.txt")]
    [InlineData("'--widht'", "--text", "a.txt", "--out", "x", "--widht", "3")]
    [InlineData("--layers must be at least 1, and 0 is not", "--text", "a.txt", "--out", "x", "--layers", "0")]
    [InlineData("--dropout must be from 0 to below 1, and 1 is not", "--text", "a.txt", "--out", "x", "--dropout", "1")]
    [InlineData("--lr must be above 0", "--text", "a.txt", "--out", "x", "--lr", "-1")]
    [InlineData("--heads 5 does not divide --width 384", "--text", "a.txt", "--out", "x", "--heads", "5")]
    [InlineData("--vocab is for --tokenizer bpe", "--text", "a.txt", "--out", "x", "--vocab", "300")]
    [InlineData("--warmup 20 is longer than the training of --steps 10", "--text", "a.txt", "--out", "x", "--warmup", "20",
        "--steps", "10")]
    [InlineData("--tokenizer takes char, byte or bpe, and 'words' is none of them", "--text", "a.txt", "--out", "x",
        "--tokenizer", "words")]
    [InlineData("--dtype takes f32 or bf16, and 'int8' is none of them", "--text", "a.txt", "--out", "x", "--dtype", "int8")]
    [InlineData("so --width cannot be given", "--resume", "--out", "x", "--width", "64")]
    [InlineData("--eval-every needs something to validate on", "--text", "a.txt", "--out", "x", "--eval-every", "5",
        "--validation", "0")]
    public async Task Options_AreRefused_WhenWrongOrContradictory(string problem, params string[] args)
    {
        var (code, _, error) = await Run(["train", .. args]);
        Assert.Equal(2, code);
        Assert.Contains(problem, error);
        Assert.Contains("Try: ashlar train --help", error);
    }

    [Fact]
    public async Task Resume_SaysThatThereIsNoTraining()
    {
        var (code, _, error) = await Run("train", "--resume", "--out", At("none"));
        Assert.Equal(1, code);
        Assert.StartsWith("ASH0507", error);
    }

    [Fact]
    public async Task Help_Teaches()
    {
        var (code, output, _) = await Run("train", "--help");
        Assert.Equal(0, code);
        Assert.Contains("--resume", output);
        Assert.Contains("[default: 384]", output);
        Assert.Contains("ashlar train --resume --out a", output);
    }
}
